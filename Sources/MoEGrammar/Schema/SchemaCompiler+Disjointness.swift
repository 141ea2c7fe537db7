internal import MoECore

/// Whether it is certain that no value fits two sets of schemas.
extension SchemaCompiler {
  private static let depthMax = 3

  /// By the schemas' own keywords, without their choices. False also means: not known.
  mutating func areDisjoint(
    _ first: [Int], _ second: [Int], depth: Int
  ) throws(GrammarError) -> Bool {
    choiceSteps += 1
    if choiceSteps > GrammarLimits.choiceStepCountMax { throw tooManyChoices(nil) }
    let (left, right) = (
      try JoinedKeywords(first, &document), try JoinedKeywords(second, &document)
    )
    let types = left.types.intersection(right.types)
    if types.isEmpty { return true }
    for (one, other) in [(left, second), (right, first)] {
      guard let list = one.values.first else { continue }
      var isShared = false
      for value in list.values where !isShared {
        isShared = try fits(value, one.schemas + other, .wide, depth: 0)
      }
      return !isShared
    }
    if !types.isDisjoint(with: [.null, .boolean]) { return false }
    if !types.isDisjoint(with: .number) {
      var range = left.numbers
      if let lower = right.numbers.lower { range.raiseLower(to: lower) }
      if let upper = right.numbers.upper { range.reduceUpper(to: upper) }
      if !range.isEmpty { return false }
    }
    if types.contains(.string), try !areStringsDisjoint(left, right) { return false }
    if types.contains(.array), try !areArraysDisjoint(left, right, depth) { return false }
    if types.contains(.object), try !areObjectsDisjoint(left, right, depth) { return false }
    return true
  }

  private mutating func areStringsDisjoint(
    _ left: JoinedKeywords, _ right: JoinedKeywords
  ) throws(GrammarError) -> Bool {
    guard let lengths = left.lengths, let other = right.lengths,
      lengths.intersection(other) != nil
    else { return true }
    // Formats don't count: who reads the schema may take them for annotations.
    if left.patterns.isEmpty || right.patterns.isEmpty { return false }
    var automaton = ScalarAutomaton.all
    for pattern in left.patterns + right.patterns {
      automaton = try automaton.intersection(self.automaton(of: pattern, .wide), &budget)
    }
    return automaton.isEmpty
  }

  private mutating func areArraysDisjoint(
    _ left: JoinedKeywords, _ right: JoinedKeywords, _ depth: Int
  ) throws(GrammarError) -> Bool {
    guard let counts = left.itemCounts, let other = right.itemCounts,
      let both = counts.intersection(other)
    else { return true }
    if depth >= Self.depthMax { return false }
    for index in 0..<min(both.min, 4)
    where try areMembersDisjoint(
      elementSchemas(left, index), elementSchemas(right, index), depth)
    {
      return true
    }
    return false
  }

  private mutating func areObjectsDisjoint(
    _ left: JoinedKeywords, _ right: JoinedKeywords, _ depth: Int
  ) throws(GrammarError) -> Bool {
    guard let counts = left.propertyCounts, let other = right.propertyCounts,
      counts.intersection(other) != nil
    else { return true }
    if depth >= Self.depthMax { return false }
    let required = (left.parts + right.parts).flatMap(\.required)
    for name in Set(required)
    where try areMembersDisjoint(
      memberSchemas(left, name), memberSchemas(right, name), depth)
    {
      return true
    }
    return false
  }

  /// Whether no value fits both sets, in any way to choose.
  private mutating func areMembersDisjoint(
    _ left: [Int], _ right: [Int], _ depth: Int
  ) throws(GrammarError) -> Bool {
    let (ways, others) = (try self.ways(of: left), try self.ways(of: right))
    for way in ways {
      for other in others where try !areDisjoint(way, other, depth: depth + 1) { return false }
    }
    return true
  }
}
