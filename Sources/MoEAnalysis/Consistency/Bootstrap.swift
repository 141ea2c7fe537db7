private import MoECore

/// A figure with what chance may have made of it.
package struct Estimate: Sendable, Equatable {
  package var value: Double
  /// Ends of the confidence interval; nil where fewer than two sequences tell nothing of chance.
  /// They may lie outside of what the figure itself can be.
  package var interval: ClosedRange<Double>?

  package init(value: Double, interval: ClosedRange<Double>? = nil) {
    self.value = value
    self.interval = interval
  }
}

/// Confidence intervals by drawing whole sequences again and again with replacement.
///
/// The interval is [2θ - q97.5, 2θ - q2.5] of the redrawn figures (basic bootstrap), as in "Not
/// All Models Suit Expert Offloading" (arXiv 2505.16056), with its order statistics: of 1000 sorted
/// figures the quantiles are number 25 and number 975, counted from 0.
package struct Bootstrap: Sendable {
  package var resampleCount: Int
  package var confidence: Double
  package var seed: UInt64

  package init(resampleCount: Int = 1000, confidence: Double = 0.95, seed: UInt64 = 1) {
    self.resampleCount = max(1, resampleCount)
    self.confidence = min(max(confidence, 0), 1)
    self.seed = seed
  }

  /// Calls `body` once for each drawing with how often it drew each sequence.
  func forEachResample(of sequenceCount: Int, _ body: (_ weights: [Int]) -> Void) {
    guard sequenceCount > 0 else { return }
    var random = SeededGenerator(seed: seed)
    var weights = [Int](repeating: 0, count: sequenceCount)
    for _ in 0..<resampleCount {
      for index in weights.indices { weights[index] = 0 }
      for _ in 0..<sequenceCount { weights[Int.random(in: 0..<sequenceCount, using: &random)] += 1 }
      body(weights)
    }
  }

  /// The interval about a figure, from the same figure of each drawing.
  func interval(about value: Double, redrawn: [Double]) -> ClosedRange<Double>? {
    guard !redrawn.isEmpty else { return nil }
    let sorted = redrawn.sorted()
    let share = Double(sorted.count) * (1 - confidence) / 2
    let cut = min(Int(share.rounded()), sorted.count / 2)
    let (low, high) = (sorted[cut], sorted[min(sorted.count - cut, sorted.count - 1)])
    return 2 * value - high...2 * value - low
  }

  /// The mean over sequences, with its interval; nil without sequences.
  package func mean(_ values: [Double]) -> Estimate? {
    guard !values.isEmpty else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    guard values.count > 1 else { return Estimate(value: mean) }
    var redrawn: [Double] = []
    redrawn.reserveCapacity(resampleCount)
    forEachResample(of: values.count) { weights in
      var sum = 0.0
      for index in values.indices { sum += Double(weights[index]) * values[index] }
      redrawn.append(sum / Double(values.count))
    }
    return Estimate(value: mean, interval: interval(about: mean, redrawn: redrawn))
  }
}
