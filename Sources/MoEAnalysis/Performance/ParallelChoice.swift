/// How many texts at a time are worth it, of the counts that a speed is predicted for.
///
/// Throughput grows with the count until a resource is full ("Mind the Memory Gap",
/// arXiv 2503.08311, looks for that point on accelerators): here until every step reads nearly all
/// experts, or computing takes as long as reading, or the memory of texts is missed by experts.
package struct ParallelChoice: Sendable, Equatable {
  /// Why not more.
  package enum Reason: Sendable, Equatable {
    /// The next count gives so much more, as a share; may be below 0.
    case saturated(next: Int, gain: Double)
    /// The budget does not hold the next count.
    case memory(next: Int)
    /// There is no more to be done at a time, or no more may be.
    case demand
  }

  package let textCount: Int
  package let tokensPerSecond: Double
  package let reason: Reason

  /// Of the best speed, what the choice must reach.
  package static let share = 0.95

  /// The least count with at least `share` of the best speed.
  ///
  /// - Parameters:
  ///   - speeds: Ascending by count, at least one; tokens per second of all texts together.
  ///   - refusedTextCount: The count that the budget does not hold; nil where that was not the end.
  package init(
    _ speeds: [(textCount: Int, tokensPerSecond: Double)], refusedTextCount: Int?
  ) {
    precondition(!speeds.isEmpty)
    let best = speeds.map(\.tokensPerSecond).max() ?? 0
    let index =
      speeds.firstIndex { $0.tokensPerSecond >= Self.share * best } ?? speeds.count - 1
    (textCount, tokensPerSecond) = speeds[index]
    if index + 1 < speeds.count {
      let next = speeds[index + 1]
      reason = .saturated(
        next: next.textCount,
        gain: tokensPerSecond > 0 ? next.tokensPerSecond / tokensPerSecond - 1 : 0)
    } else if let refusedTextCount {
      reason = .memory(next: refusedTextCount)
    } else {
      reason = .demand
    }
  }
}
