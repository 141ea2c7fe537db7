/// What repeated measurements of one thing have in common.
struct SampleStatistics {
  let mean: Double
  let median: Double
  let lowest: Double
  let highest: Double
  /// The standard deviation of the population that the values are a sample of; 0 for one value.
  let deviation: Double

  /// All zero without values.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    guard let first = sorted.first, let last = sorted.last else {
      (mean, median, lowest, highest, deviation) = (0, 0, 0, 0, 0)
      return
    }
    let mean = sorted.reduce(0, +) / Double(sorted.count)
    self.mean = mean
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    (lowest, highest) = (first, last)
    let squares = sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = sorted.count > 1 ? (squares / Double(sorted.count - 1)).squareRoot() : 0
  }
}
