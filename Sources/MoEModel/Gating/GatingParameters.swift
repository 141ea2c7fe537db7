import MoECore

/// What stands behind the colon of a gating's text, `1,0.5`, to be read as numbers.
package struct GatingParameters: Sendable {
  /// The whole text, `cache-prior:1,0.5`.
  package let text: String
  package let name: String
  private let values: [String]

  package init(_ text: String) {
    self.text = text
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    name = String(parts[0])
    values =
      parts.count < 2
      ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }

  package var count: Int { values.count }

  /// Refuses too few or too many.
  ///
  /// - Parameter usage: How the gating is written, `cache-prior:LAMBDA[,J]`.
  package func check(count range: ClosedRange<Int>, usage: String) throws(GatingError) {
    guard range.contains(values.count) else {
      throw GatingError(text, "write it as \(usage)")
    }
  }

  /// - Parameter what: What the number is, for messages.
  package func integer(
    _ index: Int, _ what: String, in range: ClosedRange<Int>
  ) throws(GatingError) -> Int {
    guard let value = Int(values[index]), range.contains(value) else {
      let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
      throw GatingError(
        text,
        "\(what) must be a whole number from \(range.lowerBound)\(upper), but is "
          + "'\(values[index])'")
    }
    return value
  }

  package func number(
    _ index: Int, _ what: String, in range: ClosedRange<Double>
  ) throws(GatingError) -> Double {
    guard let value = Double(values[index]), value.isFinite, range.contains(value) else {
      throw GatingError(
        text,
        "\(what) must be a number from \(Self.short(range.lowerBound)) to "
          + "\(Self.short(range.upperBound)), but is '\(values[index])'")
    }
    return value
  }

  /// A bound as people write it: 1, not 1.0.
  private static func short(_ value: Double) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}

/// Why a gating cannot be used: one sentence.
package struct GatingError: Error, Sendable, CustomStringConvertible {
  let text: String
  let problem: String

  package init(_ text: String, _ problem: String) {
    self.text = text
    self.problem = problem
  }

  package var description: String {
    "the gating \(text.quotedForMessage) cannot be used: \(problem)"
  }
}
