extension Parser {
  /// A literal, a name or what stands in brackets.
  mutating func primary() throws(TemplateError) -> Expression {
    let line = token.line
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return .bool(true)
      case "false", "False": return .bool(false)
      case "none", "None": return .null
      default:
        namesRead[namesRead.count - 1].insert(name)
        return .name(name, line: line)
      }
    case .string:
      // Neighbouring strings are one.
      var text = Text()
      while case .string(let part) = token.kind {
        text.append(part, .template)
        advance()
      }
      return .string(text)
    case .integer(let value):
      advance()
      return .integer(value)
    case .float(let value):
      advance()
      return .float(value)
    case .symbol("("):
      advance()
      let value = try tuple(withConditions: true, inParentheses: true)
      try expect(symbol: ")")
      return value
    case .symbol("["):
      advance()
      return .list(try elements(before: "]"))
    case .symbol("{"):
      advance()
      return try dict()
    default: throw error("unexpected \(token.name)")
    }
  }

  private mutating func elements(before end: String) throws(TemplateError) -> [Expression] {
    var elements: [Expression] = []
    while !take(symbol: end) {
      if !elements.isEmpty { try expect(symbol: ",") }
      if take(symbol: end) { break }
      elements.append(try expression())
    }
    return elements
  }

  private mutating func dict() throws(TemplateError) -> Expression {
    var entries: [DictEntry] = []
    while !take(symbol: "}") {
      if !entries.isEmpty { try expect(symbol: ",") }
      if take(symbol: "}") { break }
      let key = try expression()
      try expect(symbol: ":")
      entries.append(DictEntry(key: key, value: try expression()))
    }
    return .dict(entries)
  }

  /// `.name`, `.0`, `[...]` or `(...)`; nil where something else comes.
  mutating func accessor() throws(TemplateError) -> Postfix? {
    let line = token.line
    if take(symbol: ".") {
      defer { advance() }
      switch token.kind {
      case .name(let name): return Postfix(kind: .attribute(name), line: line)
      case .integer(let index): return Postfix(kind: .item(.integer(index)), line: line)
      default: throw error("wanted a name or an index after '.', found \(token.name)")
      }
    }
    if take(symbol: "[") { return Postfix(kind: try subscription(), line: line) }
    if isAt(symbol: "(") { return Postfix(kind: .call(try arguments()), line: line) }
    return nil
  }

  /// After `[`.
  private mutating func subscription() throws(TemplateError) -> Postfix.Kind {
    var bounds: [Expression?] = [nil]
    var elements: [Expression] = []
    while !take(symbol: "]") {
      if take(symbol: ":") {
        if bounds.count == 3 { throw error("unexpected ':'") }
        bounds.append(nil)
      } else if take(symbol: ",") {
        guard bounds.count == 1, let element = bounds[0] else { throw error("unexpected ','") }
        elements.append(element)
        bounds[0] = nil
      } else {
        if bounds[bounds.count - 1] != nil { throw error("wanted ']', found \(token.name)") }
        bounds[bounds.count - 1] = try expression()
      }
    }
    if bounds.count > 1 {
      if !elements.isEmpty { throw unsupported("a slice among several indices") }
      return .slice(start: bounds[0], stop: bounds[1], step: bounds.count > 2 ? bounds[2] : nil)
    }
    if let last = bounds[0] {
      return .item(elements.isEmpty ? last : .tuple(elements + [last]))
    }
    if elements.isEmpty { throw error("wanted an index, found ']'") }
    return .item(.tuple(elements))
  }

  /// From `(` to `)`.
  mutating func arguments() throws(TemplateError) -> ArgumentList {
    var arguments = ArgumentList()
    var isFirst = true
    try expect(symbol: "(")
    while !take(symbol: ")") {
      if !isFirst { try expect(symbol: ",") }
      isFirst = false
      if take(symbol: ")") { break }
      if take(symbol: "*") {
        if arguments.list != nil { throw error("unexpected '*'") }
        arguments.list = try expression()
      } else if take(symbol: "**") {
        if arguments.dict != nil { throw error("unexpected '**'") }
        arguments.dict = try expression()
      } else if case .name(let name) = token.kind, following.kind == .symbol("=") {
        advance()
        advance()
        arguments.named.append(NamedArgument(name: name, value: try expression()))
      } else {
        if !arguments.named.isEmpty || arguments.list != nil || arguments.dict != nil {
          throw error("an argument without a name follows one with a name")
        }
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }

  /// `| name(...)`, `is name ...` or a call of what they give; nil where something else comes.
  mutating func filterOrTest() throws(TemplateError) -> Postfix? {
    let line = token.line
    if take(symbol: "|") { return try filter() }
    if take(name: "is") { return try test(line: line) }
    if isAt(symbol: "(") { return Postfix(kind: .call(try arguments()), line: line) }
    return nil
  }

  /// Filters separated by `|`, the first without one.
  mutating func filterChain() throws(TemplateError) -> [Postfix] {
    var filters: [Postfix] = []
    repeat { filters.append(try filter()) } while take(symbol: "|")
    return filters
  }

  private mutating func filter() throws(TemplateError) -> Postfix {
    let line = token.line
    let name = try dottedName()
    let arguments = isAt(symbol: "(") ? try arguments() : ArgumentList()
    return Postfix(kind: .filter(name, arguments), line: line)
  }

  private mutating func dottedName() throws(TemplateError) -> String {
    var name = try expectName()
    while take(symbol: ".") { name += "." + (try expectName()) }
    return name
  }

  private mutating func test(line: Int) throws(TemplateError) -> Postfix {
    let isNegated = take(name: "not")
    let name = try dottedName()
    var arguments = ArgumentList()
    if isAt(symbol: "(") {
      arguments = try self.arguments()
    } else if isAtTestArgument {
      if isAt(name: "is") { throw error("tests can't be chained with 'is'") }
      var argument = try primary()
      var postfixes: [Postfix] = []
      while let postfix = try accessor() { postfixes.append(postfix) }
      if !postfixes.isEmpty { argument = .postfix(argument, postfixes) }
      arguments.positional = [argument]
    }
    return Postfix(kind: .test(name, arguments, isNegated: isNegated), line: line)
  }

  private var isAtTestArgument: Bool {
    switch token.kind {
    case .name(let name): !["else", "or", "and", "if", "not", "in"].contains(name)
    case .string, .integer, .float, .symbol("["), .symbol("{"): true
    default: false
    }
  }
}
