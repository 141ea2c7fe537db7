internal import MoECore

/// Values that a schema lists.
extension SchemaCompiler {
  /// Those of the listed values that fit everything else.
  mutating func enumeration(
    _ joined: JoinedKeywords
  ) throws(GrammarError) -> [GrammarExpression] {
    let shortest = joined.values.map(\.values).min { $0.count < $1.count } ?? []
    enumerationCount += shortest.count
    if enumerationCount > GrammarLimits.enumerationCountMax {
      throw GrammarError(
        .limit, "enum has more than \(GrammarLimits.enumerationCountMax) values", at: budget.place)
    }
    var strings: [String] = []
    var result: [GrammarExpression] = []
    for value in shortest where try fits(value, joined.schemas, .narrow, depth: 0) {
      if case .string(let text) = value {
        strings.append(text)
      } else {
        result.append(try expression(of: value))
      }
    }
    if !strings.isEmpty { result.append(try quoted(strings)) }
    return result
  }

  private mutating func quoted(_ strings: [String]) throws(GrammarError) -> GrammarExpression {
    let automaton = try ScalarAutomaton(texts: strings, &budget)
    return JSONRules.quoted(.automaton(automaton, .constrainedString))
  }

  /// One value, with white space as everywhere.
  private mutating func expression(of value: JSON) throws(GrammarError) -> GrammarExpression {
    switch value {
    case .null, .bool, .number: return .literal(value.jsonText)
    case .string(let text): return try quoted([text])
    case .array(let elements):
      var parts: [GrammarExpression] = []
      for element in elements { parts.append(try expression(of: element)) }
      return try list("[", parts, "]")
    case .object(let members):
      var parts: [GrammarExpression] = []
      for member in members {
        parts.append(
          .sequence([
            try quoted([member.name]), JSONRules.colon, try expression(of: member.value),
          ]))
      }
      return try list("{", parts, "}")
    }
  }

  private mutating func list(
    _ opening: String, _ parts: [GrammarExpression], _ closing: String
  ) throws(GrammarError) -> GrammarExpression {
    let space = try rules.space()
    var result: [GrammarExpression] = [.literal(opening), space]
    for (index, part) in parts.enumerated() {
      if index > 0 { result += [.literal(","), space] }
      result.append(part)
    }
    if !parts.isEmpty { result.append(space) }
    return .sequence(result + [.literal(closing)])
  }
}
