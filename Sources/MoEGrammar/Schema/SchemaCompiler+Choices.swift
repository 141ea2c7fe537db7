internal import MoECore

/// Ways to choose from `anyOf` and `oneOf`.
extension SchemaCompiler {
  /// A choice that is still to be made, with those that led to it.
  private struct OpenChoice {
    var choice: SchemaKeywords.Choice
    var ancestors: [Int]
  }

  /// The sets of schemas, ascending, of whose own keywords one set has to fit. None where nothing
  /// fits.
  mutating func ways(of schemas: [Int]) throws(GrammarError) -> [[Int]] {
    var result: [[Int]] = []
    guard let (bases, choices) = try expanded(schemas) else { return [] }
    try choose(
      bases, choices.map { OpenChoice(choice: $0, ancestors: []) }, made: [], depth: 0, &result)
    return result
  }

  /// With all schemas that these refer to, and the choices of all of them; nil where one is
  /// `false`.
  private mutating func expanded(
    _ schemas: [Int]
  ) throws(GrammarError) -> (bases: Set<Int>, choices: [SchemaKeywords.Choice])? {
    var bases = Set<Int>()
    var choices: [SchemaKeywords.Choice] = []
    // Whether what a schema refers to has been seen to its end.
    var isDone: [Int: Bool] = [:]
    var pending = schemas.map { (schema: $0, isEnd: false) }
    while let (schema, isEnd) = pending.popLast() {
      if isEnd {
        isDone[schema] = true
        continue
      }
      if let isDone = isDone[schema] {
        if isDone { continue }
        throw circle(at: document.place(of: schema))
      }
      isDone[schema] = false
      let keywords = try document.keywords(of: schema)
      if !keywords.isPossible { return nil }
      if !keywords.isEmpty { bases.insert(schema) }
      choices += keywords.choices
      pending.append((schema, true))
      pending += (keywords.allOf + (keywords.reference.map { [$0] } ?? [])).map { ($0, false) }
    }
    return (bases, choices)
  }

  private func circle(at place: GrammarError.Place) -> GrammarError {
    GrammarError(
      .unsupported, "the schema refers to itself with nothing in between", at: place)
  }

  private mutating func choose(
    _ bases: Set<Int>, _ open: [OpenChoice], made: Set<Int>, depth: Int, _ result: inout [[Int]]
  ) throws(GrammarError) {
    guard let next = open.first else {
      if result.count >= GrammarLimits.choiceCountMax { throw tooManyChoices(nil) }
      result.append(bases.sorted())
      return
    }
    let place = GrammarError.Place.schema(next.choice.pointer)
    choiceSteps += 1
    if depth >= GrammarLimits.nestingMax || choiceSteps > GrammarLimits.choiceStepCountMax {
      throw tooManyChoices(place)
    }
    let rest = Array(open.dropFirst())
    if made.contains(next.choice.number) {
      return try choose(bases, rest, made: made, depth: depth + 1, &result)
    }
    if next.choice.isExclusive { try checkDisjoint(next.choice, in: bases) }
    let ancestors = next.ancestors + [next.choice.number]
    for alternative in next.choice.alternatives {
      guard let (more, choices) = try expanded([alternative]) else { continue }
      if choices.contains(where: { ancestors.contains($0.number) }) { throw circle(at: place) }
      try choose(
        bases.union(more), rest + choices.map { OpenChoice(choice: $0, ancestors: ancestors) },
        made: made.union([next.choice.number]), depth: depth + 1, &result)
    }
  }

  func tooManyChoices(_ place: GrammarError.Place?) -> GrammarError {
    GrammarError(
      .limit,
      "anyOf and oneOf allow more than \(GrammarLimits.choiceCountMax) ways to choose, or are in "
        + "each other too deep", at: place)
  }

  /// Throws unless no value fits two alternatives: what is written for one of them must not fit
  /// another.
  private mutating func checkDisjoint(
    _ choice: SchemaKeywords.Choice, in bases: Set<Int>
  ) throws(GrammarError) {
    if disjointChoices.contains(choice.number) { return }
    guard openChoices.insert(choice.number).inserted else { return }
    defer { openChoices.remove(choice.number) }
    if openChoices.count > GrammarLimits.nestingMax {
      throw tooManyChoices(.schema(choice.pointer))
    }
    var ways: [[[Int]]] = []
    for alternative in choice.alternatives { ways.append(try self.ways(of: [alternative])) }
    var isAlwaysDisjoint = true
    for first in ways.indices {
      for second in ways.indices.dropFirst(first + 1) {
        for way in ways[first] {
          for other in ways[second] where try !areDisjoint(way, other, depth: 0) {
            // Perhaps with what else has to fit here.
            isAlwaysDisjoint = false
            let (both, others) = (bases.union(way).sorted(), bases.union(other).sorted())
            if try !areDisjoint(both, others, depth: 0) { throw overlap(choice, first, second) }
          }
        }
      }
    }
    if isAlwaysDisjoint { disjointChoices.insert(choice.number) }
  }

  private func overlap(
    _ choice: SchemaKeywords.Choice, _ first: Int, _ second: Int
  ) -> GrammarError {
    GrammarError(
      .unsupported,
      "a value could fit both alternative \(first) and alternative \(second) of oneOf, which isn't "
        + "allowed; make them differ in type or in a required constant, or write anyOf",
      at: .schema(choice.pointer))
  }
}
