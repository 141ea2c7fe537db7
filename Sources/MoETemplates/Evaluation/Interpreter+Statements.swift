extension Interpreter {
  func run(_ statements: [Statement]) throws(TemplateError) -> Flow {
    for statement in statements {
      let flow = try run(statement)
      if flow != .next { return flow }
    }
    return .next
  }

  private func run(_ statement: Statement) throws(TemplateError) -> Flow {
    try budget.enter()
    defer { budget.leave() }
    switch statement {
    case .text(let text): try write(text)
    case .output(let expression): try output(expression)
    case .condition(let branches, let otherwise): return try run(branches, otherwise)
    case .loop(let loop): return try run(loop)
    case .set(let target, let expression, let line):
      self.line = line
      try assign(try evaluate(expression), to: target)
    case .capture(let target, let filters, let body, let line):
      try capture(target, filters, body, line)
    case .macro(let macro):
      register(scope)
      scope.set(macro.name, to: Value(.macro(MacroObject(macro, scope: scope))))
    case .call(let block): try run(block)
    case .filter(let filters, let body): try filter(filters, body)
    case .with(let assignments, let body, let line): return try run(assignments, body, line)
    case .block(let body): return try run(body, in: Scope(parent: scope))
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .next
  }

  private func run(_ body: [Statement], in inner: Scope) throws(TemplateError) -> Flow {
    let outer = scope
    scope = inner
    let flow = try run(body)
    scope = outer
    return flow
  }

  private func output(_ expression: Expression) throws(TemplateError) {
    try write(try ValuePrinter.text(of: try evaluate(expression), budget))
  }

  private func run(
    _ branches: [Branch], _ otherwise: [Statement]
  ) throws(TemplateError) -> Flow {
    for branch in branches where try evaluate(branch.condition).isTrue {
      return try run(branch.body)
    }
    return try run(otherwise)
  }

  private func run(_ loop: Loop) throws(TemplateError) -> Flow {
    line = loop.line
    let sequence = try evaluate(loop.sequence)
    var elements = try self.elements(of: sequence)
    if let condition = loop.condition {
      elements = try self.elements(elements, for: loop.target, where: condition)
    }
    if elements.isEmpty { return try run(loop.otherwise, in: Scope(parent: scope)) }
    try budget.step(elements.count / 64)
    let object = try LoopObject(elements, origin: sequence.origin)
    let outer = scope
    for (index, element) in elements.enumerated() {
      try budget.step()
      object.index = index
      scope = Scope(parent: outer)
      scope.set("loop", to: Value(.loop(object), sequence.origin))
      try assign(element, to: loop.target)
      if try run(loop.body) == .breakLoop { break }
    }
    scope = outer
    return .next
  }

  /// The elements for which the condition is true with the loop's variables.
  private func elements(
    _ elements: [Value], for target: Target, where condition: Expression
  ) throws(TemplateError) -> [Value] {
    let outer = scope
    var chosen: [Value] = []
    for element in elements {
      scope = Scope(parent: outer)
      try assign(element, to: target)
      if try evaluate(condition).isTrue { chosen.append(element) }
    }
    scope = outer
    try budget.spend(elements: chosen.count)
    return chosen
  }

  private func run(
    _ assignments: [Assignment], _ body: [Statement], _ line: Int
  ) throws(TemplateError) -> Flow {
    self.line = line
    let inner = Scope(parent: scope)
    let outer = scope
    // A value sees the names that were assigned before it.
    scope = inner
    for assignment in assignments {
      try assign(try evaluate(assignment.value), to: assignment.target)
    }
    scope = outer
    return try run(body, in: inner)
  }

  private func capture(
    _ target: Target, _ filters: [Postfix], _ body: [Statement], _ line: Int
  ) throws(TemplateError) {
    var value = Value(try capture(body, in: Scope(parent: scope)))
    for filter in filters { value = try apply(filter, to: value) }
    self.line = line
    try assign(value, to: target)
  }

  private func filter(_ filters: [Postfix], _ body: [Statement]) throws(TemplateError) {
    var value = Value(try capture(body, in: Scope(parent: scope)))
    for filter in filters { value = try apply(filter, to: value) }
    try write(try ValuePrinter.text(of: value, budget))
  }

  private func run(_ block: CallBlock) throws(TemplateError) {
    line = block.line
    register(scope)
    let caller = Value(.macro(MacroObject(block.caller, scope: scope)))
    let callee = try evaluate(block.callee)
    var arguments = try evaluate(block.arguments, of: "the call")
    arguments.named.append(("caller", caller))
    let value = try call(callee, arguments)
    try write(try ValuePrinter.text(of: value, budget))
  }

  func assign(_ value: Value, to target: Target) throws(TemplateError) {
    switch target {
    case .name(let name): scope.set(name, to: value)
    case .attribute(let object, let name):
      guard case .namespace(let dict) = self.value(named: object).kind else {
        throw TemplateError(.wrongValue, "'\(object)' is no namespace, so '\(name)' can't be set")
      }
      register(dict)
      try dict.set(Value(Text(name, .template)), to: value, budget)
    case .tuple(let targets):
      let elements = try self.elements(of: value)
      guard elements.count == targets.count else {
        throw TemplateError(
          .wrongValue, "\(elements.count) values can't be assigned to \(targets.count) names")
      }
      try budget.step(targets.count)
      for (target, element) in zip(targets, elements) { try assign(element, to: target) }
    }
  }

  /// What a loop over the value goes through.
  func elements(of value: Value) throws(TemplateError) -> [Value] {
    switch value.kind {
    case .list(let list), .tuple(let list): return list.elements
    case .dict(let dict):
      try budget.spend(elements: dict.count)
      return dict.keys
    case .string(let text):
      try budget.spend(elements: text.count)
      return text.letters.map { Value(Text([$0])) }
    case .undefined: return []
    case .loop(let loop): return Array(loop.elements.dropFirst(loop.index + 1))
    default:
      throw TemplateError(.wrongValue, "a value of type \(value.typeName) can't be iterated over")
    }
  }
}
