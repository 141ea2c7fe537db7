#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How many different experts of a layer the rows of a step take together, where each row is of
/// another text: what the step has to have in memory, whoever's token needs it.
///
/// Rows of different texts choose almost independently, so they share less than the tokens of a
/// chunk do (`DistinctExperts`).
package struct RowUnion: Sendable, Equatable {
  /// (step): the mean over layers and places, for 1, 2, 4, … rows; empty: even choice.
  private let means: [Double]
  private let expertCount: Int
  private let expertsPerToken: Int

  /// Each row takes every expert with the same probability: E (1 - (1 - k/E)^n), the expectation
  /// for n rows with k of E experts each.
  package init(expertCount: Int, expertsPerToken: Int) {
    precondition(expertsPerToken > 0 && expertCount >= expertsPerToken)
    means = []
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
  }

  /// Rows of n places of a trace that lie as far apart as they can, which stand for n texts; all
  /// of them move on together, and the mean is taken over the places they come to.
  ///
  /// A trace too short for many rows says nothing of them; beyond that each further row adds what
  /// even choice would add to as many experts.
  package init(_ trace: RoutingTrace) {
    expertCount = trace.expertCount
    expertsPerToken = trace.expertsPerToken
    var means: [Double] = []
    var rowCount = 1
    while rowCount <= Self.measuredRowCountMax,
      trace.tokenCount / rowCount >= Self.leastDistance
    {
      // More rows never take fewer; of a short trace the means say so only about.
      means.append(max(means.last ?? 0, Self.mean(trace, rowCount: rowCount)))
      rowCount *= 2
    }
    self.means = means
  }

  private static let measuredRowCountMax = 256
  /// Tokens between two rows, below which they are of one sentence.
  static let leastDistance = 32
  /// Places that the rows are looked at, of those they come to.
  private static let placeCountMax = 256

  /// Different experts of the rows in a layer, of the mean place.
  static func mean(_ trace: RoutingTrace, rowCount: Int) -> Double {
    let distance = trace.tokenCount / rowCount
    let stride = max(1, distance / placeCountMax)
    var (sum, count) = (0, 0)
    for start in Swift.stride(from: 0, to: distance, by: stride) {
      for layer in 0..<trace.layerCount {
        var experts = Set<Int32>()
        for row in 0..<rowCount {
          experts.formUnion(trace.selection(token: start + row * distance, layer: layer))
        }
        sum += experts.count
        count += 1
      }
    }
    return Double(sum) / Double(max(1, count))
  }

  /// Different experts that so many rows take in a layer.
  package func expertCount(rowCount: Int) -> Double {
    precondition(rowCount > 0)
    guard let last = means.last else { return grown(0, byRows: rowCount) }
    let step = Int.bitWidth - 1 - rowCount.leadingZeroBitCount
    guard step + 1 < means.count else {
      return grown(last, byRows: rowCount - 1 << (means.count - 1))
    }
    let share = Double(rowCount - 1 << step) / Double(1 << step)
    return means[step] + share * (means[step + 1] - means[step])
  }

  /// What rows that choose evenly make of a union.
  private func grown(_ union: Double, byRows count: Int) -> Double {
    let all = Double(expertCount)
    return all - (all - union) * pow(1 - Double(expertsPerToken) / all, Double(count))
  }
}
