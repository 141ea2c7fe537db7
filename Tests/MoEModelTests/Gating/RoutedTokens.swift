import MoECore
import MoEExperts
import MoEKernels
import MoEModel

/// What the router makes of logits, with a gating or without, as arrays.
struct RoutedTokens {
  /// (token): experts, best first.
  var experts: [[Int]] = []
  /// (token): weights of these.
  var weights: [[Float]] = []

  var weightBits: [[UInt32]] { weights.map { $0.map(\.bitPattern) } }

  /// - Parameter logits: (token, expert)
  init(
    _ logits: [[Float]], expertsPerToken: Int, renormalizes: Bool = true, layer: Int = 0,
    residents: Set<Int> = [], gating: inout (any Gating)?
  ) throws {
    let (tokenCount, expertCount) = (logits.count, logits[0].count)
    let memory = try RoutedMemory(
      floatCount: 2 * tokenCount * expertCount + tokenCount * expertsPerToken,
      indexCount: tokenCount * expertsPerToken)
    defer { withExtendedLifetime(memory) {} }
    let logitCount = tokenCount * expertCount
    let rows = FloatRows(
      memory.floats.slice(0, count: logitCount), rowCount: tokenCount, columnCount: expertCount)
    for (token, values) in logits.enumerated() {
      for (expert, value) in values.enumerated() { rows.row(token)[expert] = value }
    }
    let scratch = FloatRows(
      memory.floats.slice(logitCount, count: logitCount), rowCount: tokenCount,
      columnCount: expertCount)
    let selection = Selection(
      tokenCount: tokenCount, expertsPerToken: expertsPerToken, experts: memory.indices,
      weights: memory.floats.slice(2 * logitCount, count: tokenCount * expertsPerToken),
      expertStride: expertsPerToken, weightStride: expertsPerToken)
    let router = Router(
      description: RouterDescription(
        expertCount: expertCount, expertsPerToken: expertsPerToken,
        renormalizesWeights: renormalizes))
    var total = tokenCount * expertsPerToken
    if var some = gating {
      total = router.select(
        logits: rows, probabilities: scratch, into: selection, layer: layer,
        residency: Residents(residents), gating: &some)
      gating = some
    } else {
      router.select(logits: rows, probabilities: scratch, into: selection)
    }
    for token in 0..<tokenCount {
      let ranks = 0..<selection.count(token: token)
      experts.append(ranks.map { selection.expert(token: token, rank: $0) })
      weights.append(ranks.map { selection.weight(token: token, rank: $0) })
    }
    precondition(experts.reduce(0) { $0 + $1.count } == total)
  }

  /// One token under a gating that is written so, made anew.
  init(
    _ logits: [Float], _ text: String, expertsPerToken: Int, renormalizes: Bool = true,
    layer: Int = 0, layerCount: Int = 4, residents: Set<Int> = []
  ) throws {
    var gating = try Self.gating(
      text, layerCount: layerCount, expertCount: logits.count, expertsPerToken: expertsPerToken)
    try self.init(
      [logits], expertsPerToken: expertsPerToken, renormalizes: renormalizes, layer: layer,
      residents: residents, gating: &gating)
  }

  static func gating(
    _ text: String, layerCount: Int = 4, expertCount: Int, expertsPerToken: Int
  ) throws -> (any Gating)? {
    try GatingRegistry.parse(text)?(
      GatingShape(
        layerCount: layerCount, expertCount: expertCount, expertsPerToken: expertsPerToken))
  }
}

/// Room for floats and expert numbers.
final class RoutedMemory {
  private let buffer: AlignedBuffer
  let floats: FloatView
  let indices: IndexView

  init(floatCount: Int, indexCount: Int) throws {
    let buffer = try AlignedBuffer(byteCount: 4 * (floatCount + indexCount))
    floats = buffer.floats(count: floatCount)
    let bytes = buffer.bytes(atOffset: 4 * floatCount, count: 4 * indexCount)
    indices = unsafe IndexView(
      bytes.pointer.assumingMemoryBound(to: UInt32.self), count: indexCount)
    self.buffer = buffer
  }
}

/// Experts of any layer that are in memory.
final class Residents: ExpertResidency {
  private let experts: Set<Int>

  init(_ experts: Set<Int>) { self.experts = experts }

  func isResident(layer: Int, expert: Int) -> Bool { experts.contains(expert) }
}
