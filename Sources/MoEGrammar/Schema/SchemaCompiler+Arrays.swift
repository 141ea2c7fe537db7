internal import MoECore

/// Arrays.
extension SchemaCompiler {
  /// The schemas of the element at an index.
  func elementSchemas(_ joined: JoinedKeywords, _ index: Int) -> [Int] {
    joined.parts.compactMap { part in
      guard let prefix = part.prefixItems, index < prefix.count else { return part.items }
      return prefix[index]
    }
  }

  mutating func array(_ joined: JoinedKeywords) throws(GrammarError) -> GrammarExpression {
    guard let counts = joined.itemCounts else { return .impossible }
    let prefixCount = joined.parts.compactMap { $0.prefixItems?.count }.max() ?? 0
    let rest = try expression(of: elementSchemas(joined, prefixCount))
    if prefixCount == 0 { return try rules.list("[", of: rest, "]", counts) }
    // Whoever lists the first elements and says nothing of others means these.
    let isOpen = joined.parts.contains { $0.items != nil } || counts.min > prefixCount
    let space = try rules.space()
    let end = GrammarExpression.sequence([space, .literal("]")])
    func mayEnd(after count: Int) -> Bool { count >= counts.min }
    func mayGoOn(after count: Int) -> Bool { counts.max.map { count < $0 } ?? true }

    var tail = mayEnd(after: prefixCount) ? end : .impossible
    if isOpen && mayGoOn(after: prefixCount) {
      let further = GrammarExpression.repetition(
        .sequence([.literal(","), space, rest]), min: max(counts.min - prefixCount, 0),
        max: counts.max.map { $0 - prefixCount })
      tail = .sequence([further, end])
    }
    for count in (1..<prefixCount).reversed() {
      // What follows so many elements.
      var forms: [GrammarExpression] = mayEnd(after: count) ? [end] : []
      if mayGoOn(after: count) {
        let element = try expression(of: elementSchemas(joined, count))
        forms.append(.sequence([.literal(","), space, element, tail]))
      }
      let number = try rules.reserve(named: "elements from \(count)")
      rules.rules[number].expression = .choice(forms)
      tail = .rule(number)
    }
    var forms: [GrammarExpression] = mayEnd(after: 0) ? [.literal("]")] : []
    if mayGoOn(after: 0) {
      forms.append(.sequence([try expression(of: elementSchemas(joined, 0)), tail]))
    }
    return .sequence([.literal("["), space, .choice(forms)])
  }
}
