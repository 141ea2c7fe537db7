#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import HeapModule
package import MoECore
private import MoEKernels

/// The tokens that may come next, with their logits. Stages of a sampler drop some, reorder them or
/// change their logits; nothing here allocates after `init`.
package struct Candidates {
  /// Token ids; the first `count` are in play.
  package private(set) var tokens: [Int32]
  package private(set) var logits: [Float]
  package private(set) var count = 0
  /// Whether the logits in play are descending.
  package private(set) var isSorted = false
  /// Room for a selection's intermediate results.
  private var order: [Int32]
  private var best: Heap<Ranked>
  private var spareTokens: [Int32]
  private var spareLogits: [Float]

  package init(vocabularySize: Int) {
    tokens = Array(repeating: 0, count: vocabularySize)
    logits = Array(repeating: 0, count: vocabularySize)
    spareTokens = tokens
    spareLogits = logits
    order = []
    order.reserveCapacity(vocabularySize)
    best = Heap(minimumCapacity: vocabularySize)
  }

  /// All tokens, in the order of their ids. Values that are not numbers are never drawn.
  package mutating func load(_ source: FloatView) {
    count = source.count
    isSorted = false
    for index in 0..<count {
      tokens[index] = Int32(index)
      let logit = source[index]
      logits[index] = logit.isNaN ? -.infinity : logit
    }
  }

  /// exp(logit - largest): how probable a candidate is beside the most probable one, which has 1
  /// even where its logit is infinite.
  package func weight(at index: Int, largest: Float) -> Double {
    let logit = logits[index]
    return logit == largest ? 1 : exp(Double(logit) - Double(largest))
  }

  /// Draws a token with probability proportional to exp(logit).
  ///
  /// - Parameter unit: A random number from 0 up to 1.
  package mutating func draw(_ unit: Double) -> (token: Int32, probability: Double) {
    let largest = largest
    if largest.isFinite {
      fillShares()
    } else {
      // Infinite logits share everything; where none is a number, all do.
      for index in 0..<count { spareLogits[index] = logits[index] == largest ? 1 : 0 }
    }
    var total = 0.0
    for index in 0..<count { total += Double(spareLogits[index]) }
    var rest = unit * total
    for index in 0..<count {
      rest -= Double(spareLogits[index])
      if rest < 0 { return (tokens[index], Double(spareLogits[index]) / total) }
    }
    return (tokens[count - 1], Double(spareLogits[count - 1]) / total)
  }

  /// Probabilities of the candidates, to a float's accuracy: exponentials in double precision take
  /// a tenth of a token's time where the vocabulary is large and nothing was dropped.
  private mutating func fillShares() {
    for index in 0..<count { spareLogits[index] = logits[index] }
    unsafe spareLogits.withUnsafeMutableBufferPointer { buffer in
      guard let pointer = buffer.baseAddress else { return }
      unsafe VectorMath.softmax(FloatView(pointer, count: count))
    }
  }

  package mutating func setLogit(_ value: Float, at index: Int) {
    isSorted = false
    logits[index] = value
  }

  /// Where a token is among the candidates; nil where it was dropped.
  package func index(of token: Int32) -> Int? {
    let index = Int(token)
    // As they were loaded, which most are when this is asked.
    if index < count, tokens[index] == token { return index }
    return tokens[..<count].firstIndex(of: token)
  }

  /// Keeps the candidates at some places, in the order of these.
  package mutating func keep(at indices: [Int]) {
    precondition(!indices.isEmpty)
    for (number, index) in indices.enumerated() {
      spareTokens[number] = tokens[index]
      spareLogits[number] = logits[index]
    }
    swap(&tokens, &spareTokens)
    swap(&logits, &spareLogits)
    count = indices.count
    isSorted = zip(0..<count, 1..<max(count, 1)).allSatisfy { logits[$0] >= logits[$1] }
  }

  /// Probabilities of the candidates, in their order.
  package func probabilities() -> [Double] {
    let largest = largest
    var weights = (0..<count).map { weight(at: $0, largest: largest) }
    let total = weights.reduce(0, +)
    for index in weights.indices { weights[index] /= total }
    return weights
  }

  /// Keeps the `limit` largest logits, descending; of equals the smaller id comes first.
  package mutating func keepLargest(_ limit: Int) {
    let limit = min(limit, count)
    if isSorted {
      count = limit
      return
    }
    order.removeAll(keepingCapacity: true)
    if limit < count {
      // Few are wanted of many: only the best so far are kept, the worst of them at hand.
      best.removeAll { _ in true }
      for index in 0..<count {
        let entry = Ranked(logit: logits[index], index: Int32(index))
        if best.count < limit {
          best.insert(entry)
        } else if let worst = best.min, worst < entry {
          best.replaceMin(with: entry)
        }
      }
      for entry in best.unordered { order.append(entry.index) }
    } else {
      for index in 0..<count { order.append(Int32(index)) }
    }
    let logits = logits
    order.sort { Self.isBetter($0, $1, logits) }
    for (index, source) in order.enumerated() {
      spareTokens[index] = tokens[Int(source)]
      spareLogits[index] = logits[Int(source)]
    }
    swap(&tokens, &spareTokens)
    swap(&self.logits, &spareLogits)
    count = limit
    isSorted = true
  }

  /// Drops those with a smaller logit; what is left keeps its order. At least one must be left.
  package mutating func keep(atLeast threshold: Float) {
    var kept = 0
    for index in 0..<count where logits[index] >= threshold {
      tokens[kept] = tokens[index]
      logits[kept] = logits[index]
      kept += 1
    }
    precondition(kept >= 1)
    count = kept
  }

  /// The largest logit.
  package var largest: Float {
    isSorted ? logits[0] : logits[..<count].reduce(-.infinity) { max($0, $1) }
  }

  /// Drops all but the first `limit`; the candidates must be sorted.
  package mutating func truncate(to limit: Int) {
    precondition(isSorted && limit >= 1)
    count = min(count, limit)
  }

  /// Divides all logits.
  package mutating func scale(by divisor: Float) {
    for index in 0..<count { logits[index] /= divisor }
  }

  private static func isBetter(_ left: Int32, _ right: Int32, _ logits: [Float]) -> Bool {
    let (first, second) = (logits[Int(left)], logits[Int(right)])
    return first > second || (first == second && left < right)
  }
}

/// A candidate in the order in which they are kept: by its logit, of equals the smaller index
/// higher.
private struct Ranked: Comparable {
  let logit: Float
  let index: Int32

  static func < (left: Ranked, right: Ranked) -> Bool {
    left.logit < right.logit || (left.logit == right.logit && left.index > right.index)
  }
}
