internal import MoECore

/// The values of an `enum`, or the one of a `const`, found fast.
struct ListedValues: Sendable {
  let values: [JSON]
  private var strings: Set<ExactText> = []
  private var numbers: Set<DecimalNumber> = []
  private var others: [JSON] = []

  init(_ values: [JSON]) {
    self.values = values
    for value in values {
      switch value {
      case .string(let text): strings.insert(ExactText(text))
      case .number(let text):
        if let number = DecimalNumber(text) { numbers.insert(number) } else { others.append(value) }
      default: others.append(value)
      }
    }
  }

  var count: Int { values.count }

  func contains(_ value: JSON) -> Bool {
    switch value {
    case .string(let text): return strings.contains(ExactText(text))
    case .number(let text):
      if let number = DecimalNumber(text) { return numbers.contains(number) }
    default: break
    }
    return others.contains { $0.isExactly(value) }
  }
}

extension JSON {
  /// What the value is; a whole number is no fraction.
  var types: JSONTypes {
    switch self {
    case .null: .null
    case .bool: .boolean
    case .number(let text): DecimalNumber(text)?.isWhole ?? false ? .integer : .fraction
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  /// Whether both are the same value: numbers by what they are, strings byte by byte, members in
  /// any order.
  func isExactly(_ other: JSON) -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.bool(let left), .bool(let right)): return left == right
    case (.string(let left), .string(let right)): return ExactText(left) == ExactText(right)
    case (.number(let left), .number(let right)):
      guard let number = DecimalNumber(left), let other = DecimalNumber(right) else {
        return left == right
      }
      return number == other
    case (.array(let left), .array(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { $0.isExactly($1) }
    case (.object(let left), .object(let right)):
      var values: [ExactText: JSON] = [:]
      for member in left { values[ExactText(member.name)] = member.value }
      var others: [ExactText: JSON] = [:]
      for member in right { others[ExactText(member.name)] = member.value }
      return values.count == others.count
        && values.allSatisfy { name, value in others[name]?.isExactly(value) ?? false }
    default: return false
    }
  }
}
