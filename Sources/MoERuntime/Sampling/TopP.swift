#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Nucleus sampling (arXiv 1904.09751): the smallest set of most probable tokens whose
/// probabilities reach p; at least one.
package struct TopP: SamplerStage {
  let probability: Float
  /// More than the logarithm's and the sums' rounding.
  private static let margin: Float = 0.01

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.topP < 1 ? TopP(probability: options.topP) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    let largest = candidates.largest
    var total = 0.0
    for index in 0..<candidates.count { total += candidates.weight(at: index, largest: largest) }
    if largest.isFinite && !candidates.isSorted {
      // Below an even share of what may be missing no token is needed: few are left to be sorted.
      let share = Double(1 - max(0, probability)) * total / Double(candidates.count)
      candidates.keep(atLeast: largest + Float(log(share)) - Self.margin)
    }
    candidates.keepLargest(candidates.count)
    var sum = 0.0
    for index in 0..<candidates.count {
      sum += candidates.weight(at: index, largest: largest)
      if sum >= Double(probability) * total {
        candidates.truncate(to: index + 1)
        return
      }
    }
  }
}
