internal import MoECore

/// Objects.
extension SchemaCompiler {
  /// The schemas of the member of a name.
  mutating func memberSchemas(
    _ joined: JoinedKeywords, _ name: ExactText
  ) throws(GrammarError) -> [Int] {
    var schemas: [Int] = []
    for part in joined.parts {
      let own = part.property(name)
      var isMatched = own != nil
      if let own { schemas.append(own) }
      for (pattern, schema) in part.patternProperties {
        let scalars = name.text.unicodeScalars
        // Where readings differ, both what holds for a match and what holds for none has to fit.
        if try automaton(of: pattern, .wide).accepts(scalars) { schemas.append(schema) }
        if try automaton(of: pattern, .narrow).accepts(scalars) { isMatched = true }
      }
      if !isMatched, let additional = part.additionalProperties { schemas.append(additional) }
    }
    return schemas
  }

  mutating func object(_ joined: JoinedKeywords) throws(GrammarError) -> GrammarExpression {
    guard let counts = joined.propertyCounts else { return .impossible }
    let place = document.place(of: joined.schemas.first ?? 0)
    var shape = ObjectShape(counts: counts, place: place)
    var declared: [ExactText] = []
    var seen = Set<ExactText>()
    for name in joined.parts.flatMap({ $0.properties.map(\.name) + $0.required })
    where seen.insert(name).inserted {
      declared.append(name)
    }
    let required = Set(joined.parts.flatMap(\.required))
    for name in declared {
      guard try isName(name, joined, .narrow, depth: 0) else {
        if required.contains(name) { return .impossible }
        continue
      }
      let key = GrammarExpression.automaton(
        try ScalarAutomaton(texts: [name.text], &budget), .constrainedString)
      let value = try expression(of: memberSchemas(joined, name))
      shape.members.append(
        ObjectShape.Member(
          expression: .sequence([JSONRules.quoted(key), JSONRules.colon, value]),
          isRequired: required.contains(name)))
    }
    if let free = try freeMember(joined, declared) {
      let number = try rules.reserve(named: "member")
      rules.rules[number].expression = free
      shape.freeMember = .rule(number)
    }
    return try shape.expression(&rules)
  }

  /// Members of other names than the declared ones; nil where there are none.
  ///
  /// Where no schema says anything about them they are left out, unless nothing is said of any
  /// member.
  private mutating func freeMember(
    _ joined: JoinedKeywords, _ declared: [ExactText]
  ) throws(GrammarError) -> GrammarExpression? {
    let isOpen =
      joined.parts.contains { $0.additionalProperties != nil }
      || !joined.parts.contains { $0.declaresMembers }
    let patterns = joined.parts.enumerated().flatMap { index, part in
      part.patternProperties.map { (part: index, pattern: $0.pattern, schema: $0.schema) }
    }
    if patterns.count > Self.patternCountMax {
      throw GrammarError(
        .unsupported,
        "patternProperties has more than \(Self.patternCountMax) patterns, which can't be told "
          + "apart",
        at: budget.place)
    }
    var forms: [GrammarExpression] = []
    // For each set of patterns that a name matches, no others.
    for chosen in 0..<(1 << patterns.count) {
      func isChosen(_ index: Int) -> Bool { chosen >> index & 1 != 0 }
      if chosen == 0 && !isOpen { continue }
      var schemas: [Int] = []
      for (index, part) in joined.parts.enumerated() {
        let matched = patterns.indices.filter { isChosen($0) && patterns[$0].part == index }
        schemas += matched.map { patterns[$0].schema }
        if matched.isEmpty, let additional = part.additionalProperties {
          schemas.append(additional)
        }
      }
      let names = try names(
        joined, except: declared,
        matching: patterns.indices.filter(isChosen).map { patterns[$0].pattern },
        notMatching: patterns.indices.filter { !isChosen($0) }.map { patterns[$0].pattern })
      let value = try expression(of: schemas)
      for name in names { forms.append(.sequence([name, JSONRules.colon, value])) }
    }
    return forms.isEmpty ? nil : .choice(forms)
  }

  private static let patternCountMax = 4

  /// Names in quotes: one expression for each way to choose from `propertyNames`.
  private mutating func names(
    _ joined: JoinedKeywords, except declared: [ExactText], matching: [String],
    notMatching: [String]
  ) throws(GrammarError) -> [GrammarExpression] {
    let nameSchemas = joined.parts.compactMap(\.propertyNames)
    if nameSchemas.isEmpty && declared.isEmpty && matching.isEmpty && notMatching.isEmpty {
      return [try rules.string(CountRange())]
    }
    var result: [GrammarExpression] = []
    for way in try ways(of: nameSchemas) {
      guard var automaton = try nameAutomaton(way) else { continue }
      for pattern in matching {
        automaton = try automaton.intersection(self.automaton(of: pattern, .narrow), &budget)
      }
      for pattern in notMatching {
        automaton = try automaton.subtracting(self.automaton(of: pattern, .wide), &budget)
      }
      let others = try ScalarAutomaton(texts: declared.map(\.text), &budget)
      automaton = try automaton.subtracting(others, &budget)
      if !automaton.isEmpty {
        result.append(JSONRules.quoted(.automaton(automaton, .constrainedString)))
      }
    }
    return result
  }

  /// The names that fit schemas' own keywords; nil where none does.
  private mutating func nameAutomaton(_ way: [Int]) throws(GrammarError) -> ScalarAutomaton? {
    let joined = try JoinedKeywords(way, &document)
    guard joined.types.contains(.string), let lengths = joined.lengths else { return nil }
    if let list = joined.values.first {
      var texts: [String] = []
      for case .string(let text) in list.values
      where try fits(.string(text), way, .narrow, depth: 0) {
        texts.append(text)
      }
      return try ScalarAutomaton(texts: texts, &budget)
    }
    var automaton = ScalarAutomaton.all
    for pattern in joined.allPatterns {
      let next = try self.automaton(of: pattern, .narrow)
      automaton = try automaton.intersection(next, &budget)
    }
    return try automaton.limited(to: lengths, &budget)
  }
}
