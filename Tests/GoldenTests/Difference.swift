import Foundation

/// How far one array of numbers is from another.
struct Difference {
  var maximum = 0.0
  var mean = 0.0

  init(_ left: [Float], _ right: [Float]) {
    precondition(left.count == right.count)
    for (first, second) in zip(left, right) {
      let distance = abs(Double(first) - Double(second))
      // A comparison with a number that is none would pass every bound.
      maximum = distance.isNaN ? .infinity : max(maximum, distance)
      mean += distance / Double(left.count)
    }
  }
}

/// Kullback-Leibler divergences of rows of logits, in nats.
struct Divergence {
  var maximum = 0.0
  var mean = 0.0

  /// - Parameters:
  ///   - reference, other: (row, columnCount)
  init(_ reference: [Float], _ other: [Float], columnCount: Int) {
    let rowCount = reference.count / columnCount
    for row in 0..<rowCount {
      let range = row * columnCount..<(row + 1) * columnCount
      let first = Self.logSoftmax(reference[range])
      let second = Self.logSoftmax(other[range])
      let value = zip(first, second).reduce(0.0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      maximum = value.isNaN ? .infinity : max(maximum, value)
      mean += value / Double(rowCount)
    }
  }

  private static func logSoftmax(_ row: ArraySlice<Float>) -> [Double] {
    let largest = Double(row.max() ?? 0)
    let sum = row.reduce(0.0) { $0 + exp(Double($1) - largest) }
    return row.map { Double($0) - largest - log(sum) }
  }
}
