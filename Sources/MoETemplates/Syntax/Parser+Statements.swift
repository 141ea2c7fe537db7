extension Parser {
  /// Statements up to a tag that begins with one of `ends`, whose name comes next; up to the
  /// template's end where there are none.
  ///
  /// - Parameter tag: the tag that is to be closed.
  mutating func statements(
    until ends: [String], in tag: (name: String, line: Int)?
  ) throws(TemplateError) -> [Statement] {
    try enter()
    defer { leave() }
    var statements: [Statement] = []
    while true {
      switch token.kind {
      case .end:
        guard let tag else { return statements }
        throw TemplateError(.syntax, "the tag '\(tag.name)' is not closed", line: tag.line)
      case .text(let text):
        advance()
        statements.append(.text(Text(text, .template)))
      case .outputBegin:
        advance()
        statements.append(.output(try tuple(withConditions: true)))
        guard token.kind == .outputEnd else {
          throw error("wanted '}}', found \(token.name)")
        }
        advance()
      default:
        advance()
        if case .name(let name) = token.kind, ends.contains(name) { return statements }
        statements.append(try statement())
      }
    }
  }

  /// After `{%`, up to and with the tag's end or that of its closing tag.
  private mutating func statement() throws(TemplateError) -> Statement {
    let line = token.line
    guard case .name(let tag) = token.kind else {
      throw error("wanted the name of a tag, found \(token.name)")
    }
    switch tag {
    case "break", "continue":
      if loopDepth == 0 { throw error("'\(tag)' outside of a loop") }
      advance()
      try expectTagEnd()
      return tag == "break" ? .breakLoop : .continueLoop
    case "include", "import", "from", "extends", "block", "do", "autoescape", "trans", "debug":
      throw unsupported("the tag '\(tag)'")
    default: break
    }
    advance()
    switch tag {
    case "if": return try condition(line: line)
    case "for": return try loop(line: line)
    case "set": return try set(line: line)
    case "macro": return .macro(try macro(line: line))
    case "call": return .call(try call(line: line))
    case "filter":
      let filters = try filterChain()
      try expectTagEnd()
      return .filter(filters, body: try body(of: tag, line: line))
    case "with": return try with(line: line)
    case "generation":
      try expectTagEnd()
      return .block(try body(of: tag, line: line))
    case "print":
      let value = try tuple(withConditions: true)
      try expectTagEnd()
      return .output(value)
    default:
      throw TemplateError(.syntax, "unknown tag '\(tag)'", line: line)
    }
  }

  /// The statements up to a tag's closing one, with that.
  private mutating func body(of tag: String, line: Int) throws(TemplateError) -> [Statement] {
    let body = try statements(until: ["end" + tag], in: (tag, line))
    advance()
    try expectTagEnd()
    return body
  }

  private mutating func condition(line: Int) throws(TemplateError) -> Statement {
    var branches: [Branch] = []
    repeat {
      let condition = try tuple(withConditions: false)
      try expectTagEnd()
      let body = try statements(until: ["elif", "else", "endif"], in: ("if", line))
      branches.append(Branch(condition: condition, body: body))
    } while take(name: "elif")
    var otherwise: [Statement] = []
    if take(name: "else") {
      try expectTagEnd()
      otherwise = try statements(until: ["endif"], in: ("if", line))
    }
    try expect(name: "endif")
    try expectTagEnd()
    return .condition(branches: branches, otherwise: otherwise)
  }

  private mutating func loop(line: Int) throws(TemplateError) -> Statement {
    let target = try target(allowsAttributes: false)
    try expect(name: "in")
    let sequence = try tuple(withConditions: false, endingBefore: "recursive")
    let condition: Expression? = take(name: "if") ? try expression() : nil
    if isAt(name: "recursive") { throw unsupported("a recursive 'for'") }
    try expectTagEnd()
    loopDepth += 1
    let body = try statements(until: ["else", "endfor"], in: ("for", line))
    loopDepth -= 1
    var otherwise: [Statement] = []
    if take(name: "else") {
      try expectTagEnd()
      otherwise = try statements(until: ["endfor"], in: ("for", line))
    }
    try expect(name: "endfor")
    try expectTagEnd()
    return .loop(
      Loop(
        target: target, sequence: sequence, condition: condition, body: body,
        otherwise: otherwise, line: line))
  }

  private mutating func set(line: Int) throws(TemplateError) -> Statement {
    let target = try target(allowsAttributes: true)
    if take(symbol: "=") {
      let value = try tuple(withConditions: true)
      try expectTagEnd()
      return .set(target, to: value, line: line)
    }
    let filters = take(symbol: "|") ? try filterChain() : []
    try expectTagEnd()
    let body = try body(of: "set", line: line)
    return .capture(target, filters: filters, body: body, line: line)
  }

  private mutating func with(line: Int) throws(TemplateError) -> Statement {
    var assignments: [Assignment] = []
    while token.kind != .tagEnd {
      if !assignments.isEmpty { try expect(symbol: ",") }
      let target = try target(allowsAttributes: false, isSingle: true)
      try expect(symbol: "=")
      assignments.append(Assignment(target: target, value: try expression()))
    }
    advance()
    return .with(assignments, body: try body(of: "with", line: line), line: line)
  }

  private mutating func macro(line: Int) throws(TemplateError) -> Macro {
    let name = try expectName()
    let parameters = try parameters()
    try expectTagEnd()
    return try macro(name: name, parameters: parameters, tag: "macro", line: line)
  }

  /// A macro's body; within it there are no loops of its surroundings.
  private mutating func macro(
    name: String, parameters: [Parameter], tag: String, line: Int
  ) throws(TemplateError) -> Macro {
    let loops = loopDepth
    loopDepth = 0
    namesRead.append([])
    let body = try body(of: tag, line: line)
    loopDepth = loops
    let names = namesRead.removeLast()
    namesRead[namesRead.count - 1].formUnion(names)
    return Macro(
      name: name, parameters: parameters, body: body,
      takesMorePositional: names.contains("varargs"), takesMoreNamed: names.contains("kwargs"),
      line: line)
  }

  private mutating func parameters() throws(TemplateError) -> [Parameter] {
    var parameters: [Parameter] = []
    try expect(symbol: "(")
    while !take(symbol: ")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      if take(symbol: ")") { break }
      let name = try expectName()
      let initial: Expression? = take(symbol: "=") ? try expression() : nil
      if initial == nil, let last = parameters.last, last.initial != nil {
        throw error("the parameter '\(name)' without a default follows one with a default")
      }
      parameters.append(Parameter(name: name, initial: initial))
    }
    return parameters
  }

  private mutating func call(line: Int) throws(TemplateError) -> CallBlock {
    let parameters = isAt(symbol: "(") ? try parameters() : []
    let expression = try expression()
    guard case .postfix(let base, let postfixes) = expression,
      case .call(let arguments) = postfixes.last?.kind
    else { throw error("wanted a call in the tag 'call'") }
    try expectTagEnd()
    let caller = try macro(name: "caller", parameters: parameters, tag: "call", line: line)
    let rest = Array(postfixes.dropLast())
    return CallBlock(
      caller: caller, callee: rest.isEmpty ? base : .postfix(base, rest), arguments: arguments,
      line: line)
  }

  /// Names that are assigned to, separated by commas; only the first where `isSingle`.
  private mutating func target(
    allowsAttributes: Bool, isSingle: Bool = false
  ) throws(TemplateError) -> Target {
    try enter()
    defer { leave() }
    var targets: [Target] = []
    var isTuple = false
    while true {
      if take(symbol: "(") {
        targets.append(try target(allowsAttributes: false))
        try expect(symbol: ")")
      } else {
        let name = try expectName()
        if allowsAttributes, targets.isEmpty, take(symbol: ".") {
          return .attribute(name, name: try expectName())
        }
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
          throw error("can't assign to '\(name)'")
        }
        targets.append(.name(name))
      }
      if isSingle || !take(symbol: ",") { break }
      isTuple = true
      // A comma may end the list.
      if isAt(symbol: "=") || isAt(symbol: ")") || isAt(name: "in") { break }
    }
    return isTuple ? .tuple(targets) : targets[0]
  }
}
