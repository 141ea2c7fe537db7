extension Interpreter {
  func evaluate(_ expression: Expression) throws(TemplateError) -> Value {
    try budget.enter()
    defer { budget.leave() }
    switch expression {
    case .null: return .null
    case .bool(let bool): return Value(bool)
    case .integer(let integer): return Value(integer, .template)
    case .float(let double): return Value(.float(double))
    case .string(let text): return Value(.string(text), .template)
    case .name(let name, let line):
      self.line = line
      return value(named: name)
    case .list(let elements): return try Value(list: try evaluate(elements), .template)
    case .tuple(let elements): return try Value(tuple: try evaluate(elements), .template)
    case .dict(let entries): return try dict(entries)
    case .conditional(let conditional): return try evaluate(conditional)
    case .any(let operands): return try first(of: operands, thatIs: true)
    case .all(let operands): return try first(of: operands, thatIs: false)
    case .not(let operand):
      let value = try evaluate(operand)
      return Value(!value.isTrue, value.origin)
    case .comparison(let first, let parts): return try compare(first, parts)
    case .arithmetic(let first, let parts): return try calculate(first, parts)
    case .concatenation(let operands, let line): return try concatenate(operands, line)
    case .negative(let operand, let line): return try sign(operand, isNegative: true, line)
    case .positive(let operand, let line): return try sign(operand, isNegative: false, line)
    case .postfix(let base, let postfixes): return try evaluate(base, postfixes)
    }
  }

  private func evaluate(_ expressions: [Expression]) throws(TemplateError) -> [Value] {
    var values: [Value] = []
    try budget.spend(elements: expressions.count)
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func dict(_ entries: [DictEntry]) throws(TemplateError) -> Value {
    let dict = DictObject()
    try budget.spend(elements: entries.count)
    for entry in entries {
      try dict.set(try evaluate(entry.key), to: try evaluate(entry.value), budget)
    }
    return Value(.dict(dict))
  }

  private func evaluate(_ conditional: Conditional) throws(TemplateError) -> Value {
    if try evaluate(conditional.condition).isTrue { return try evaluate(conditional.value) }
    guard let otherwise = conditional.otherwise else {
      return .undefined("the condition was false and there is no 'else'")
    }
    return try evaluate(otherwise)
  }

  /// The first operand that is as true as wanted, or the last.
  private func first(
    of operands: [Expression], thatIs isTrue: Bool
  ) throws(TemplateError) -> Value {
    var value = Value.null
    for operand in operands {
      value = try evaluate(operand)
      if value.isTrue == isTrue { break }
    }
    return value
  }

  private func compare(
    _ first: Expression, _ parts: [ComparisonPart]
  ) throws(TemplateError) -> Value {
    var left = try evaluate(first)
    var origin = left.origin
    for part in parts {
      let right = try evaluate(part.operand)
      line = part.line
      origin = origin | right.origin
      if try !isTrue(part.comparison, left, right) { return Value(false, origin) }
      left = right
    }
    return Value(true, origin)
  }

  func isTrue(
    _ comparison: ComparisonOperator, _ left: Value, _ right: Value
  ) throws(TemplateError) -> Bool {
    switch comparison {
    case .equal: return try left.isEqual(to: right, budget)
    case .notEqual: return try !left.isEqual(to: right, budget)
    case .less: return try left.isLess(than: right, budget)
    case .lessOrEqual:
      let isLess = try left.isLess(than: right, budget)
      return isLess ? true : try left.isEqual(to: right, budget)
    case .greater: return try right.isLess(than: left, budget)
    case .greaterOrEqual:
      let isLess = try right.isLess(than: left, budget)
      return isLess ? true : try left.isEqual(to: right, budget)
    case .isIn: return try right.contains(left, budget)
    case .isNotIn: return try !right.contains(left, budget)
    }
  }

  private func concatenate(
    _ operands: [Expression], _ line: Int
  ) throws(TemplateError) -> Value {
    var text = Text()
    for operand in operands {
      let part = try ValuePrinter.text(of: try evaluate(operand), budget)
      self.line = line
      try budget.spend(letters: part.count)
      text.append(part)
    }
    return Value(text)
  }

  private func evaluate(
    _ base: Expression, _ postfixes: [Postfix]
  ) throws(TemplateError) -> Value {
    var value = try evaluate(base)
    var index = 0
    while index < postfixes.count {
      let postfix = postfixes[index]
      index += 1
      if let name = postfix.memberName, index < postfixes.count,
        case .call(let list) = postfixes[index].kind, value.hasMethod(name)
      {
        index += 1
        line = postfix.line
        value = try callMethod(name, of: value, list, postfix.line)
      } else {
        value = try apply(postfix, to: value)
      }
    }
    return value
  }

  func apply(_ postfix: Postfix, to value: Value) throws(TemplateError) -> Value {
    try budget.step()
    line = postfix.line
    switch postfix.kind {
    case .attribute(let name): return try attribute(name, of: value)
    case .item(let index):
      let index = try evaluate(index)
      line = postfix.line
      return try item(index, of: value)
    case .slice(let start, let stop, let step):
      return try slice(value, start, stop, step, postfix.line)
    case .call(let list):
      let arguments = try evaluate(list, of: "the call")
      line = postfix.line
      return try call(value, arguments)
    case .filter(let name, let list):
      let arguments = try evaluate(list, of: "the filter '\(name)'")
      line = postfix.line
      return try filter(name, value, arguments)
    case .test(let name, let list, let isNegated):
      let arguments = try evaluate(list, of: "the test '\(name)'")
      line = postfix.line
      return Value(try test(name, value, arguments) != isNegated, value.origin)
    }
  }

  func evaluate(_ list: ArgumentList, of callee: String) throws(TemplateError) -> Arguments {
    var arguments = Arguments(callee: callee)
    for expression in list.positional { arguments.positional.append(try evaluate(expression)) }
    if let more = list.list { arguments.positional += try elements(of: try evaluate(more)) }
    for argument in list.named {
      arguments.named.append((argument.name, try evaluate(argument.value)))
    }
    if let more = list.dict {
      guard let dict = try evaluate(more).dict else {
        throw TemplateError(.wrongValue, "\(callee) wants a dict after '**'")
      }
      for (key, value) in zip(dict.keys, dict.values) {
        let name = try ValuePrinter.text(of: key, budget)
        try budget.spend(letters: name.count)
        arguments.named.append((name.string, value))
      }
    }
    try budget.spend(elements: arguments.positional.count + arguments.named.count)
    // What is called may look at every character of what it is given.
    for value in arguments.positional + arguments.named.map(\.value) {
      if let text = value.text { try budget.step(text.count / 64) }
    }
    return arguments
  }

  /// A result whose characters or elements are paid for.
  func paid(_ value: Value) throws(TemplateError) -> Value {
    switch value.kind {
    case .string(let text): try budget.spend(letters: text.count)
    case .list(let list), .tuple(let list): try budget.spend(elements: list.elements.count)
    default: break
    }
    return value
  }
}

extension Postfix {
  /// The name in `.name` or `['name']`.
  fileprivate var memberName: String? {
    switch kind {
    case .attribute(let name): name
    case .item(.string(let text)): text.string
    default: nil
    }
  }
}
