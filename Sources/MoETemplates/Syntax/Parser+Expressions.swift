/// Ranks of operators, the weakest first.
private enum Rank {
  static let or = 0
  static let and = 1
  static let not = 2
  static let comparison = 3
  static let sum = 4
  static let concatenation = 5
  static let product = 6
  static let power = 7
}

extension Parser {
  /// Expressions separated by commas are a tuple; one without a comma is itself.
  ///
  /// - Parameter end: a name at which the tuple ends.
  mutating func tuple(
    withConditions: Bool, inParentheses: Bool = false, endingBefore end: String? = nil
  ) throws(TemplateError) -> Expression {
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if token.kind == .outputEnd || token.kind == .tagEnd || isAt(symbol: ")") { break }
      if let end, isAt(name: end) { break }
      elements.append(withConditions ? try expression() : try operation(Rank.or))
      guard take(symbol: ",") else { break }
      isTuple = true
    }
    if isTuple { return .tuple(elements) }
    if let element = elements.first { return element }
    if inParentheses { return .tuple([]) }
    throw error("wanted an expression, found \(token.name)")
  }

  /// An expression with its conditions.
  mutating func expression() throws(TemplateError) -> Expression {
    try enter()
    var levelCount = 1
    defer { leave(levelCount) }
    var value = try operation(Rank.or)
    while take(name: "if") {
      try enter()
      levelCount += 1
      let condition = try operation(Rank.or)
      let otherwise: Expression? = take(name: "else") ? try expression() : nil
      value = .conditional(
        Conditional(condition: condition, value: value, otherwise: otherwise))
    }
    return value
  }

  /// An expression of operators that bind as strongly as `rank` or stronger.
  private mutating func operation(_ rank: Int) throws(TemplateError) -> Expression {
    try enter()
    defer { leave() }
    var left: Expression
    if rank <= Rank.not && isAt(name: "not") {
      advance()
      left = .not(try operation(Rank.not))
    } else {
      left = try signed(withFilters: true)
    }
    while let next = operatorRank(), next >= rank { left = try chain(of: next, after: left) }
    return left
  }

  /// The rank of the operator that comes next; nil where none does.
  private func operatorRank() -> Int? {
    switch token.kind {
    case .name("or"): return Rank.or
    case .name("and"): return Rank.and
    case .name("in"): return Rank.comparison
    case .name("not"): return following.kind == .name("in") ? Rank.comparison : nil
    case .symbol(let symbol):
      switch symbol {
      case "==", "!=", "<", "<=", ">", ">=": return Rank.comparison
      case "+", "-": return Rank.sum
      case "~": return Rank.concatenation
      case "*", "/", "//", "%": return Rank.product
      case "**": return Rank.power
      default: return nil
      }
    default: return nil
    }
  }

  /// All operators of one rank that follow, with what stands on their right.
  private mutating func chain(
    of rank: Int, after first: Expression
  ) throws(TemplateError) -> Expression {
    switch rank {
    case Rank.or, Rank.and, Rank.concatenation:
      let line = token.line
      var operands = [first]
      while operatorRank() == rank {
        advance()
        operands.append(try operation(rank + 1))
      }
      if rank == Rank.concatenation { return .concatenation(operands, line: line) }
      return rank == Rank.or ? .any(operands) : .all(operands)
    case Rank.comparison:
      var parts: [ComparisonPart] = []
      while operatorRank() == rank {
        let line = token.line
        guard let comparison = takeComparison() else { break }
        let operand = try operation(rank + 1)
        parts.append(ComparisonPart(comparison: comparison, operand: operand, line: line))
      }
      return .comparison(first, parts)
    default:
      var parts: [ArithmeticPart] = []
      while operatorRank() == rank, case .symbol(let symbol) = token.kind,
        let operation = ArithmeticOperator(rawValue: symbol)
      {
        let line = token.line
        advance()
        let operand = try self.operation(rank + 1)
        parts.append(ArithmeticPart(operation: operation, operand: operand, line: line))
      }
      return .arithmetic(first, parts)
    }
  }

  private mutating func takeComparison() -> ComparisonOperator? {
    defer { advance() }
    switch token.kind {
    case .name("in"): return .isIn
    case .name:
      advance()
      return .isNotIn
    case .symbol(let symbol): return ComparisonOperator(rawValue: symbol)
    default: return nil
    }
  }

  /// A value with what follows it, and signs before it. A sign binds weaker than an attribute and
  /// stronger than a filter.
  private mutating func signed(withFilters: Bool) throws(TemplateError) -> Expression {
    let line = token.line
    var value: Expression
    if isAt(symbol: "-") || isAt(symbol: "+") {
      try enter()
      defer { leave() }
      let isNegative = isAt(symbol: "-")
      advance()
      let operand = try signed(withFilters: false)
      value = isNegative ? .negative(operand, line: line) : .positive(operand, line: line)
    } else {
      value = try primary()
    }
    var postfixes: [Postfix] = []
    while let postfix = try accessor() { postfixes.append(postfix) }
    while withFilters, let postfix = try filterOrTest() { postfixes.append(postfix) }
    return postfixes.isEmpty ? value : .postfix(value, postfixes)
  }
}
