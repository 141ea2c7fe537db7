import MoECore
import MoERuntime

/// One option of `moe_options_set`: its name, what it does, and how its value is read.
struct OptionEntry<Values>: Sendable {
  typealias Path<Value> = any WritableKeyPath<Values, Value> & Sendable

  let name: String
  let summary: String
  /// A value that it takes.
  let example: String
  /// Whether each setting adds a value, instead of replacing the one before.
  var isRepeatable = false
  let set: @Sendable (String, inout Values) throws(WantedValue) -> Void

  var description: JSON {
    [
      "name": .string(name), "summary": .string(summary), "example": .string(example),
      "repeatable": .bool(isRepeatable),
    ]
  }
}

/// The kinds of values.
extension OptionEntry {
  static func integer(
    _ name: String, summary: String, example: String, in range: ClosedRange<Int>,
    _ path: Path<Int>
  ) -> Self {
    Self(name: name, summary: summary, example: example) { text, values throws(WantedValue) in
      values[keyPath: path] = try OptionValue.integer(text, in: range)
    }
  }

  /// For values that are derived where none is set.
  static func integer(
    _ name: String, summary: String, example: String, in range: ClosedRange<Int>,
    _ path: Path<Int?>
  ) -> Self {
    Self(name: name, summary: summary, example: example) { text, values throws(WantedValue) in
      values[keyPath: path] = try OptionValue.integer(text, in: range)
    }
  }

  /// - Parameter isOpen: Whether the lower bound itself is refused.
  static func number<Number: BinaryFloatingPoint & LosslessStringConvertible & Sendable>(
    _ name: String, summary: String, example: String, in range: ClosedRange<Number>,
    isOpen: Bool = false, _ path: Path<Number>
  ) -> Self {
    Self(name: name, summary: summary, example: example) { text, values throws(WantedValue) in
      values[keyPath: path] = try OptionValue.number(text, in: range, isOpen: isOpen)
    }
  }

  static func truth(
    _ name: String, summary: String, _ path: Path<Bool>
  ) -> Self {
    Self(name: name, summary: summary, example: "true") { text, values throws(WantedValue) in
      values[keyPath: path] = try OptionValue.truth(text)
    }
  }

  static func size(
    _ name: String, summary: String, example: String, _ path: Path<SizeSpecification?>
  ) -> Self {
    Self(name: name, summary: summary, example: example) { text, values throws(WantedValue) in
      do {
        values[keyPath: path] = try SizeSpecification(parsing: text)
      } catch {
        throw WantedValue(text: SizeError.wanted)
      }
    }
  }

  static func choice<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
    _ name: String, summary: String, example: String, _ path: Path<Choice>
  ) -> Self {
    Self(name: name, summary: summary, example: example) { text, values throws(WantedValue) in
      values[keyPath: path] = try OptionValue.choice(text)
    }
  }

  /// A text as it is; each setting adds one.
  static func texts(
    _ name: String, summary: String, example: String, _ path: Path<[String]>
  ) -> Self {
    Self(name: name, summary: summary, example: example, isRepeatable: true) {
      text, values throws(WantedValue) in
      values[keyPath: path].append(text)
    }
  }
}
