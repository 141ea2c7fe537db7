extension Interpreter {
  func call(_ callee: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    switch callee.kind {
    case .macro(let macro): return try call(macro, arguments)
    case .function(let function): return try call(function, arguments)
    case .joiner(let joiner):
      try arguments.checkEmpty()
      if joiner.isUsed { return joiner.separator }
      joiner.isUsed = true
      return Value(Text())
    case .method(let name):
      throw TemplateError(
        .unsupported, "unsupported: calling the method '\(name)' elsewhere than where it is named")
    case .undefined(let problem):
      throw TemplateError(.wrongValue, "\(problem), so it can't be called")
    default:
      throw TemplateError(.wrongValue, "a value of type \(callee.typeName) can't be called")
    }
  }

  /// What the macro writes.
  private func call(_ object: MacroObject, _ arguments: Arguments) throws(TemplateError) -> Value {
    try budget.enter()
    defer { budget.leave() }
    let lineOfCall = line
    let inner = Scope(parent: object.scope)
    try bind(arguments, to: object.macro, in: inner)
    let text = try capture(object.macro.body, in: inner)
    line = lineOfCall
    return Value(text)
  }

  private func bind(
    _ arguments: Arguments, to macro: Macro, in inner: Scope
  ) throws(TemplateError) {
    let parameters = macro.parameters
    try budget.step(parameters.count)
    var named = arguments.named
    func take(_ name: String) -> Value? {
      named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
    }
    if !parameters.contains(where: { $0.name == "caller" }) {
      inner.set("caller", to: take("caller") ?? .undefined("the macro is not called by 'call'"))
    }
    let outer = scope
    // An initial value sees the parameters before it.
    scope = inner
    for (index, parameter) in parameters.enumerated() {
      if index < arguments.positional.count {
        inner.set(parameter.name, to: arguments.positional[index])
      } else if let value = take(parameter.name) {
        inner.set(parameter.name, to: value)
      } else if let initial = parameter.initial {
        inner.set(parameter.name, to: try evaluate(initial))
      } else {
        inner.set(
          parameter.name, to: .undefined("the parameter '\(parameter.name)' was not provided"))
      }
    }
    scope = outer
    let more = arguments.positional.dropFirst(parameters.count)
    guard more.isEmpty || macro.takesMorePositional else {
      throw TemplateError(
        .wrongValue, "the macro '\(macro.name)' takes at most \(parameters.count) arguments")
    }
    if macro.takesMorePositional {
      inner.set("varargs", to: try Value(tuple: Array(more), .template))
    }
    guard named.isEmpty || macro.takesMoreNamed else {
      throw TemplateError(
        .wrongValue, "the macro '\(macro.name)' takes no argument '\(named[0].name)' here")
    }
    if macro.takesMoreNamed {
      let dict = DictObject()
      for (name, value) in named {
        try dict.set(Value(Text(name, .template)), to: value, budget)
      }
      inner.set("kwargs", to: Value(.dict(dict)))
    }
  }

  private func call(
    _ function: Function, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    switch function {
    case .range: return try range(arguments)
    case .namespace: return Value(.namespace(try dict(of: arguments)))
    case .dict: return Value(.dict(try dict(of: arguments)))
    case .joiner:
      let separator = try arguments.values(for: "sep")[0] ?? Value(Text(", ", .template))
      guard separator.text != nil else {
        throw TemplateError(.wrongValue, "'joiner' wants a string")
      }
      return Value(.joiner(JoinerObject(separator: separator)))
    case .raiseException:
      let message = try arguments.value(for: "message")
      throw TemplateError(.raised, try ValuePrinter.text(of: message, budget).string)
    case .strftimeNow:
      guard let format = try arguments.value(for: "format").text else {
        throw TemplateError(.wrongValue, "'strftime_now' wants a string")
      }
      return try paid(Value(try clock.text(in: format)))
    }
  }

  private func range(_ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "start", "stop", "step", requiredCount: 1)
    var bounds: [Int] = []
    var origin = Origin.template
    for value in values {
      guard let value else { break }
      guard let integer = value.integer else {
        throw TemplateError(
          .wrongValue, "'range' wants integers, not a value of type \(value.typeName)")
      }
      bounds.append(integer)
      origin = origin | value.origin
    }
    let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
    let step = bounds.count > 2 ? bounds[2] : 1
    if step == 0 { throw TemplateError(.wrongValue, "'range' with the step 0") }
    var numbers: [Value] = []
    for number in stride(from: start, to: stop, by: step) {
      if numbers.count == TemplateLimits.rangeCountMax {
        throw TemplateError(.limit, "a range of more than \(TemplateLimits.rangeCountMax) numbers")
      }
      numbers.append(Value(number, origin))
    }
    return try paid(try Value(list: numbers, origin))
  }

  /// From a dict or pairs, then from names: what `dict` and `namespace` are called with.
  private func dict(of arguments: Arguments) throws(TemplateError) -> DictObject {
    let dict = DictObject()
    if arguments.positional.count > 1 {
      throw TemplateError(.wrongValue, "\(arguments.callee) takes one dict, then names")
    }
    if let first = arguments.positional.first { try add(first, to: dict) }
    for (name, value) in arguments.named {
      try dict.set(Value(Text(name, .template)), to: value, budget)
    }
    return dict
  }

  /// Adds another dict's members, or pairs of keys and values.
  func add(_ members: Value, to dict: DictObject) throws(TemplateError) {
    if case .dict(let other) = members.kind {
      try budget.spend(elements: other.count)
      for (key, value) in zip(other.keys, other.values) { try dict.set(key, to: value, budget) }
      return
    }
    for pair in try elements(of: members) {
      guard let parts = pair.elements, parts.count == 2 else {
        throw TemplateError(.wrongValue, "a dict is made of pairs of a key and a value")
      }
      try dict.set(parts[0], to: parts[1], budget)
    }
  }
}
