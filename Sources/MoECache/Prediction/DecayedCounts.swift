#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How often each expert was used, where a use counts half after a half-life.
///
/// The count of an expert at time T is the sum of 2^((t - T) / halfLife) over the times t of its
/// uses. Kept as its base-2 logarithm at time 0 it never needs refreshing: all counts fall alike,
/// and a use at t adds 2^(t / halfLife), in whatever order uses are reported.
struct DecayedCounts: Sendable {
  /// Logarithms that differ by less differ by rounding alone.
  static let tolerance = 1e-9

  /// What every logarithm falls by when time advances by one token.
  let lossPerToken: Double
  /// (expert ordinal): base-2 logarithm of its count, at time 0; minus infinity before a first use.
  private(set) var logarithms: [Double]

  init(expertCount: Int, halfLife: Double) {
    precondition(halfLife > 0)
    lossPerToken = 1 / halfLife
    logarithms = [Double](repeating: -.infinity, count: expertCount)
  }

  mutating func add(_ use: ExpertUse) {
    let gain = gain(tokenCount: use.tokenCount) + Double(use.time) * lossPerToken
    let (low, high) = (min(logarithms[use.ordinal], gain), max(logarithms[use.ordinal], gain))
    logarithms[use.ordinal] = high + log2(1 + exp2(low - high))
  }

  /// Logarithm of what a step adds: its tokens are taken to be the last ones before its time, one
  /// each. A long chunk then adds what as many single steps would, and no more than a frequent
  /// expert's count can reach in decoding.
  private func gain(tokenCount: Int) -> Double {
    guard tokenCount > 1 else { return 0 }
    return log2((1 - exp2(-Double(tokenCount) * lossPerToken)) / (1 - exp2(-lossPerToken)))
  }
}
