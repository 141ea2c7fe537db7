internal import CMoEKernelsInterface
package import MoECore

/// Consecutive rows of a step that belong to one sequence, and one layer of that sequence's cache.
/// A step's rows are those of its segments, one after the other.
package struct AttentionSegment {
  package var view: KVView
  /// Of its first row.
  package var position: Int
  package var rowCount: Int

  package init(view: KVView, position: Int, rowCount: Int) {
    precondition(position >= 0 && rowCount >= 0)
    self.view = view
    self.position = position
    self.rowCount = rowCount
  }

  /// Of its rows.
  var positions: Range<Int> { position..<position + rowCount }
}

/// Which positions a row sees, besides its own.
package enum AttentionLimits: Sendable, Hashable {
  /// All before it.
  case causal
  /// The window's latest, its own among them: position i sees j where i - window < j <= i
  /// (Longformer, arXiv 2004.05150, section 3.1). A window is at least 1.
  case sliding(Int)
  /// Those before it in its own chunk, where every chunk has so many positions and the first begins
  /// at 0. A chunk has at least 1.
  case chunked(Int)

  /// The first position that a row at `position` sees.
  package func first(for position: Int) -> Int {
    switch self {
    case .causal: 0
    case .sliding(let window): max(0, position - window + 1)
    case .chunked(let size): position / size * size
    }
  }

  /// Of the window or chunk; 0 where there is none.
  var size: Int {
    switch self {
    case .causal: 0
    case .sliding(let size), .chunked(let size): size
    }
  }

  /// Positions that a row sees at most, its own among them; nil where all are seen.
  package var positionMax: Int? { size > 0 ? size : nil }

  var cValue: moe_attention_limits {
    switch self {
    case .causal: MOE_ATTENTION_CAUSAL
    case .sliding: MOE_ATTENTION_SLIDING
    case .chunked: MOE_ATTENTION_CHUNKED
    }
  }
}

/// How products of queries and keys become weights of values.
package struct AttentionScoring {
  /// Factor on the products.
  package var scale: Float
  /// Bends scores s to cap * tanh(s / cap), so that none exceeds it (Gemma 2, arXiv 2408.00118,
  /// section 2); above 0. Nil: none are bent.
  package var softCap: Float?
  /// (queryHead): one more logit per head, which has no value and takes its part of the weights.
  /// One of -infinity takes none.
  package var sinks: FloatView?

  package init(scale: Float, softCap: Float? = nil, sinks: FloatView? = nil) {
    precondition(softCap.map { $0 > 0 } ?? true)
    self.scale = scale
    self.softCap = softCap
    self.sinks = sinks
  }
}
