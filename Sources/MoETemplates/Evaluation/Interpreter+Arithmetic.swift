#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

extension Interpreter {
  func calculate(
    _ first: Expression, _ parts: [ArithmeticPart]
  ) throws(TemplateError) -> Value {
    var value = try evaluate(first)
    for part in parts {
      let operand = try evaluate(part.operand)
      line = part.line
      value = try calculate(part.operation, value, operand)
    }
    return value
  }

  func sign(
    _ operand: Expression, isNegative: Bool, _ line: Int
  ) throws(TemplateError) -> Value {
    let value = try evaluate(operand)
    self.line = line
    if case .float(let double) = value.kind {
      return Value(.float(isNegative ? -double : double), value.origin)
    }
    guard let integer = value.integer else {
      throw TemplateError(.wrongValue, "a sign before a value of type \(value.typeName)")
    }
    return try integers(isNegative ? .subtract : .add, 0, integer, value.origin)
  }

  func calculate(
    _ operation: ArithmeticOperator, _ left: Value, _ right: Value
  ) throws(TemplateError) -> Value {
    for operand in [left, right] {
      if case .undefined(let problem) = operand.kind { throw TemplateError(.wrongValue, problem) }
    }
    if let first = left.integer, let second = right.integer {
      return try integers(operation, first, second, left.origin | right.origin)
    }
    if let first = left.double, let second = right.double {
      let result = try floats(operation, first, second)
      return Value(.float(result), left.origin | right.origin)
    }
    if operation == .add, let sum = try joined(left, right) { return sum }
    if operation == .multiply {
      if let count = right.integer, let value = try repeated(left, count) { return value }
      if let count = left.integer, let value = try repeated(right, count) { return value }
    }
    if operation == .remainder, let text = left.text {
      var arguments = Arguments(callee: "'%'")
      arguments.positional = [right]
      if case .tuple(let list) = right.kind { arguments.positional = list.elements }
      // A list or a dict need not be used, for it could be looked into by names.
      var usesAll = true
      if case .list = right.kind { usesAll = false }
      if right.dict != nil { usesAll = false }
      return try formatted(text, arguments, usesAll: usesAll)
    }
    throw TemplateError(
      .wrongValue,
      "'\(operation.rawValue)' between values of types \(left.typeName) and \(right.typeName)")
  }

  private func joined(_ left: Value, _ right: Value) throws(TemplateError) -> Value? {
    switch (left.kind, right.kind) {
    case (.string(var text), .string(let other)):
      try budget.spend(letters: text.count + other.count)
      text.append(other)
      return Value(text)
    case (.list(let list), .list(let other)):
      try budget.spend(elements: list.elements.count + other.elements.count)
      return try Value(list: list.elements + other.elements, left.origin | right.origin)
    case (.tuple(let list), .tuple(let other)):
      try budget.spend(elements: list.elements.count + other.elements.count)
      return try Value(tuple: list.elements + other.elements, left.origin | right.origin)
    default: return nil
    }
  }

  private func repeated(_ value: Value, _ count: Int) throws(TemplateError) -> Value? {
    let count = max(count, 0)
    if let text = value.text {
      try budget.spend(letters: text.count.multipliedSaturating(by: count))
      if text.isEmpty { return value }
      var letters: [Letter] = []
      letters.reserveCapacity(text.count * count)
      for _ in 0..<count { letters += text.letters }
      return Value(Text(letters))
    }
    guard let part = value.elements else { return nil }
    try budget.spend(elements: part.count.multipliedSaturating(by: count))
    var elements: [Value] = []
    for _ in 0..<(part.isEmpty ? 0 : count) { elements += part }
    if case .tuple = value.kind { return try Value(tuple: elements, value.origin) }
    return try Value(list: elements, value.origin)
  }

  private func integers(
    _ operation: ArithmeticOperator, _ first: Int, _ second: Int, _ origin: Origin
  ) throws(TemplateError) -> Value {
    var result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = first.addingReportingOverflow(second)
    case .subtract: result = first.subtractingReportingOverflow(second)
    case .multiply: result = first.multipliedReportingOverflow(by: second)
    case .divide:
      return Value(.float(try floats(.divide, Double(first), Double(second))), origin)
    case .floorDivide, .remainder:
      if second == 0 { throw TemplateError(.wrongValue, "a division by zero") }
      if second == -1 {
        result = operation == .remainder ? (0, false) : 0.subtractingReportingOverflow(first)
        break
      }
      let (quotient, remainder) = first.quotientAndRemainder(dividingBy: second)
      // Python rounds down, and gives the remainder the divisor's sign.
      let isBelow = remainder != 0 && (remainder < 0) != (second < 0)
      if operation == .remainder {
        result = (isBelow ? remainder + second : remainder, false)
      } else {
        result = (isBelow ? quotient - 1 : quotient, false)
      }
    case .power:
      if second < 0 {
        return Value(.float(try floats(.power, Double(first), Double(second))), origin)
      }
      result = first.raised(to: second)
    }
    if result.overflow { throw TemplateError(.limit, "an integer of more than 64 bits") }
    return Value(result.partialValue, origin)
  }

  private func floats(
    _ operation: ArithmeticOperator, _ first: Double, _ second: Double
  ) throws(TemplateError) -> Double {
    switch operation {
    case .add: return first + second
    case .subtract: return first - second
    case .multiply: return first * second
    case .divide, .floorDivide, .remainder:
      if second == 0 { throw TemplateError(.wrongValue, "a division by zero") }
      if operation == .divide { return first / second }
      var remainder = first.truncatingRemainder(dividingBy: second)
      if remainder != 0 && (remainder < 0) != (second < 0) { remainder += second }
      if operation == .remainder { return remainder }
      return ((first - remainder) / second).rounded()
    case .power:
      if first == 0 && second < 0 { throw TemplateError(.wrongValue, "a division by zero") }
      let result = pow(first, second)
      if result.isNaN && !first.isNaN && !second.isNaN {
        throw TemplateError(.unsupported, "unsupported: a root of a negative number")
      }
      return result
    }
  }
}

extension Int {
  /// The power by squaring, for exponents that are not negative.
  fileprivate func raised(to exponent: Int) -> (partialValue: Int, overflow: Bool) {
    var (result, base, rest) = (1, self, exponent)
    while rest > 0 {
      if rest & 1 == 1 {
        let (product, overflows) = result.multipliedReportingOverflow(by: base)
        if overflows { return (0, true) }
        result = product
      }
      rest >>= 1
      if rest == 0 { break }
      let (square, overflows) = base.multipliedReportingOverflow(by: base)
      if overflows { return (0, true) }
      base = square
    }
    return (result, false)
  }
}
