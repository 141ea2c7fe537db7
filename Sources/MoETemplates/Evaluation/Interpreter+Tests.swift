extension Interpreter {
  /// Whether `value is name(arguments)`.
  func test(
    _ name: String, _ value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Bool {
    if let comparison = Self.comparison(name) {
      return try isTrue(comparison, value, try arguments.value(for: "other"))
    }
    switch name {
    case "divisibleby":
      let divisor = try arguments.value(for: "num")
      return try !calculate(.remainder, value, divisor).isTrue
    case "sameas":
      let other = try arguments.value(for: "other")
      if value.isSame(as: other) { return true }
      // Python has one object for each small integer and each literal.
      guard value.integer != nil || value.text != nil, value.typeName == other.typeName else {
        return false
      }
      return try value.isEqual(to: other, budget)
    default: break
    }
    try arguments.checkEmpty()
    try budget.step((value.text?.count ?? 0) / 64)
    if let holds = isOfType(name, value) { return holds }
    switch name {
    case "odd", "even":
      let remainder = try calculate(.remainder, value, Value(2, .template))
      return remainder.double == (name == "odd" ? 1 : 0)
    case "lower", "upper":
      return try ValuePrinter.text(of: value, budget).isCased(upper: name == "upper")
    case "escaped": return false
    case "filter": return value.text.map { Self.hasFilter($0.string) } ?? false
    default: throw TemplateError(.unsupported, "unsupported: \(arguments.callee)")
    }
  }

  private static func comparison(_ name: String) -> ComparisonOperator? {
    switch name {
    case "eq", "equalto", "==": .equal
    case "ne", "!=": .notEqual
    case "lt", "lessthan", "<": .less
    case "le", "<=": .lessOrEqual
    case "gt", "greaterthan", ">": .greater
    case "ge", ">=": .greaterOrEqual
    case "in": .isIn
    default: nil
    }
  }

  /// Tests of what a value is; nil for other tests.
  private func isOfType(_ name: String, _ value: Value) -> Bool? {
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none": return value.isNull
    case "string": return value.text != nil
    case "mapping": return value.dict != nil
    case "boolean": if case .bool = value.kind { return true } else { return false }
    case "true": if case .bool(true) = value.kind { return true } else { return false }
    case "false": if case .bool(false) = value.kind { return true } else { return false }
    case "float": if case .float = value.kind { return true } else { return false }
    case "integer":
      switch value.kind {
      case .integer, .numeral: return true
      default: return false
      }
    case "number":
      switch value.kind {
      case .integer, .numeral, .float, .bool: return true
      default: return false
      }
    case "sequence", "iterable":
      switch value.kind {
      case .string, .list, .tuple, .dict, .undefined: return true
      case .loop: return name == "iterable"
      default: return false
      }
    case "callable":
      switch value.kind {
      case .macro, .function, .joiner, .method, .undefined: return true
      default: return false
      }
    default: return nil
    }
  }
}
