import ArgumentParser
import MoECore
import MoERuntime

/// Reads the values of flags; errors say what was wanted, the parser adds the flag and what was
/// found.
enum FlagValue {
  static func integer(_ text: String, in range: ClosedRange<Int>) throws -> Int {
    guard let value = Int(text), range.contains(value) else {
      let upper = range.upperBound == .max ? "" : " to \(range.upperBound)"
      throw ValidationError("give a whole number from \(range.lowerBound)\(upper)")
    }
    return value
  }

  /// Values separated by commas.
  static func list<Value>(
    _ text: String, _ element: (String) throws -> Value
  ) throws -> [Value] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map {
      try element(String($0))
    }
  }

  /// - Parameter isOpen: Whether the lower bound itself is refused.
  static func number(
    _ text: String, in range: ClosedRange<Float>, isOpen: Bool = false
  ) throws -> Float {
    guard let value = Float(text), value.isFinite, range.contains(value),
      !(isOpen && value == range.lowerBound)
    else {
      let lower = "\(isOpen ? "above" : "from") \(short(range.lowerBound))"
      let upper = range.upperBound.isFinite ? " to \(short(range.upperBound))" : ""
      throw ValidationError("give a number \(lower)\(upper)")
    }
    return value
  }

  /// A bound as people write it: 1, not 1.0.
  static func short(_ value: some BinaryFloatingPoint & CustomStringConvertible) -> String {
    Int(exactly: value).map { "\($0)" } ?? value.description
  }

  static func size(_ text: String) throws -> SizeSpecification {
    do {
      return try SizeSpecification(parsing: text)
    } catch {
      throw ValidationError("give \(SizeError.wanted)")
    }
  }

  static func choice<Choice: NamedChoice>(_ text: String) throws -> Choice {
    guard let choice = Choice(rawValue: text) else {
      throw ValidationError(
        "give one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  /// All choices, each with what it does in brackets.
  static func summaries<Choice: NamedChoice>(_ type: Choice.Type) -> String {
    type.allCases.map { "\($0) (\(summary: $0.summary))" }.joined(separator: ", ")
  }

  static func name(_ text: String, among names: [String]) throws -> String {
    guard names.contains(text) else {
      throw ValidationError("give one of \(names.joined(separator: ", "))")
    }
    return text
  }
}

/// `ExpertPlacement` as the command line names it.
enum PlacementFlag: String, CaseIterable, ExpressibleByArgument {
  case auto, resident, offloaded

  var placement: ExpertPlacement {
    switch self {
    case .auto: .automatic
    case .resident: .resident
    case .offloaded: .offloaded
    }
  }
}
