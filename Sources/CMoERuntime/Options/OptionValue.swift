/// What the value of an option should have been, as a sentence goes on: `a whole number from 1`.
struct WantedValue: Error {
  let text: String
}

extension WantedValue {
  init(oneOf names: [String]) { self.init(text: "one of \(names.joined(separator: ", "))") }
}

/// Reads the values of options.
enum OptionValue {
  static func integer(_ text: String, in range: ClosedRange<Int>) throws(WantedValue) -> Int {
    guard let value = Int(text), range.contains(value) else {
      let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
      throw WantedValue(text: "a whole number from \(range.lowerBound)\(upper)")
    }
    return value
  }

  /// - Parameter isOpen: Whether the lower bound itself is refused.
  static func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    _ text: String, in range: ClosedRange<Number>, isOpen: Bool
  ) throws(WantedValue) -> Number {
    guard let value = Number(text), value.isFinite, range.contains(value),
      !(isOpen && value == range.lowerBound)
    else { throw WantedValue(text: "a number" + bounds(range, isOpen: isOpen)) }
    return value
  }

  private static func bounds<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    _ range: ClosedRange<Number>, isOpen: Bool
  ) -> String {
    func short(_ value: Number) -> String { Int(exactly: value).map { "\($0)" } ?? "\(value)" }
    let isBoundedBelow = range.lowerBound > -.greatestFiniteMagnitude
    let lower = isBoundedBelow ? " \(isOpen ? "above" : "from") \(short(range.lowerBound))" : ""
    let isBoundedAbove = range.upperBound < .greatestFiniteMagnitude
    return lower + (isBoundedAbove ? " to \(short(range.upperBound))" : "")
  }

  static func truth(_ text: String) throws(WantedValue) -> Bool {
    guard let value = Bool(text) else { throw WantedValue(oneOf: ["true", "false"]) }
    return value
  }

  static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ text: String
  ) throws(WantedValue) -> Choice {
    guard let choice = Choice(rawValue: text) else {
      throw WantedValue(oneOf: Choice.allCases.map(\.rawValue))
    }
    return choice
  }
}
