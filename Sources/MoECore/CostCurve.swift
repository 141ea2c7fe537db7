/// Seconds that something takes, by how many tokens it is done for at once: measured points and
/// straight lines between them.
package struct CostCurve: Sendable, Codable, Equatable {
  package struct Point: Sendable, Codable, Equatable {
    package var tokenCount: Double
    package var seconds: Double

    package init(tokenCount: Double, seconds: Double) {
      self.tokenCount = tokenCount
      self.seconds = seconds
    }
  }

  /// Ascending by token count, each once.
  package let points: [Point]

  package init(_ points: [Point]) {
    self.points = points.sorted { $0.tokenCount < $1.tokenCount }
  }

  /// Takes no time for any number of tokens.
  package static let zero = CostCurve([])

  /// Below the first point its seconds: the weights have to be read for however few tokens. Beyond
  /// the last one the seconds per token stay what they are there.
  package func seconds(_ tokenCount: Double) -> Double {
    guard let first = points.first, let last = points.last else { return 0 }
    if tokenCount <= 0 { return 0 }
    if tokenCount <= first.tokenCount { return first.seconds }
    if tokenCount >= last.tokenCount { return last.seconds * tokenCount / last.tokenCount }
    let next = points.firstIndex { $0.tokenCount >= tokenCount } ?? points.count - 1
    let (low, high) = (points[next - 1], points[next])
    let share = (tokenCount - low.tokenCount) / (high.tokenCount - low.tokenCount)
    return low.seconds + share * (high.seconds - low.seconds)
  }

  package func scaled(by factor: Double) -> CostCurve {
    CostCurve(points.map { Point(tokenCount: $0.tokenCount, seconds: $0.seconds * factor) })
  }

  /// The same, where a difference of measured times came out below zero nothing at all.
  package var notNegative: CostCurve {
    CostCurve(points.map { Point(tokenCount: $0.tokenCount, seconds: max(0, $0.seconds)) })
  }

  /// The sum, exact at every point of either.
  package static func + (left: CostCurve, right: CostCurve) -> CostCurve {
    let counts = Set((left.points + right.points).map(\.tokenCount))
    return CostCurve(
      counts.map {
        Point(tokenCount: $0, seconds: left.seconds($0) + right.seconds($0))
      })
  }
}
