/// Counts values by size, as Prometheus does.
struct Histogram: Sendable {
  /// Upper bounds, ascending.
  let bounds: [Double]
  /// Values at most as large as each bound and larger than the one before; then the rest.
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = [Int](repeating: 0, count: bounds.count + 1)
  }

  mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  var count: Int { counts.reduce(0, +) }
}
