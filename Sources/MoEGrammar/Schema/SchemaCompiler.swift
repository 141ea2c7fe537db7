internal import MoECore

/// Turns a JSON schema into rules.
///
/// A rule is made for a set of schemas that all have to fit (`allOf`, `$ref` with keywords beside
/// it, `properties` of several): first the ways to choose from `anyOf` and `oneOf`, and for each
/// way the joined keywords of all schemas of the set. Sets that were met before have a rule
/// already, so that schemas which refer to themselves come to an end.
struct SchemaCompiler {
  var document: SchemaDocument
  var rules = JSONRules()
  var budget = AutomatonBudget()
  /// Rules by the set of schemas, ascending.
  private var known: [[Int]: GrammarExpression] = [:]
  private var pending: [(schemas: [Int], rule: Int)] = []
  /// Automata of regular expressions and formats, by their text and reading.
  var automata: [String: ScalarAutomaton] = [:]
  var enumerationCount = 0
  var choiceSteps = 0
  /// Choices of which no two alternatives fit the same value.
  var disjointChoices = Set<Int>()
  /// Choices that are being looked at for this: to tell alternatives apart may lead back to them.
  var openChoices = Set<Int>()

  static func grammar(of schema: JSON) throws(GrammarError) -> Grammar {
    var compiler = SchemaCompiler(document: SchemaDocument(schema))
    let root = try compiler.rules.reserve(named: "root")
    compiler.rules.rules[root].expression = try compiler.expression(of: [0])
    while let (schemas, rule) = compiler.pending.popLast() {
      compiler.rules.rules[rule].expression = try compiler.expression(ofAll: schemas)
    }
    return Grammar(
      rules: compiler.rules.rules, root: root, depthMax: GrammarLimits.valueDepthMax)
  }

  private init(document: SchemaDocument) { self.document = document }

  /// The values that fit all of these schemas.
  mutating func expression(of schemas: [Int]) throws(GrammarError) -> GrammarExpression {
    var asking: [Int] = []
    for schema in Set(schemas).sorted() where try !isTrue(schema) { asking.append(schema) }
    guard let first = asking.first else { return try rules.anyValue() }
    if let rule = known[asking] { return rule }
    let number = try rules.reserve(named: document.pointer(of: first))
    known[asking] = .rule(number)
    pending.append((asking, number))
    return .rule(number)
  }

  private mutating func isTrue(_ schema: Int) throws(GrammarError) -> Bool {
    let keywords = try document.keywords(of: schema)
    return keywords.isEmpty && keywords.reference == nil && keywords.allOf.isEmpty
      && keywords.choices.isEmpty
  }

  private mutating func expression(ofAll schemas: [Int]) throws(GrammarError) -> GrammarExpression {
    var seen = Set<[Int]>()
    var alternatives: [GrammarExpression] = []
    for way in try ways(of: schemas) where seen.insert(way).inserted {
      alternatives += try self.alternatives(of: way)
    }
    return .choice(alternatives)
  }

  /// The values that fit these schemas' own keywords, by type.
  private mutating func alternatives(of way: [Int]) throws(GrammarError) -> [GrammarExpression] {
    budget.place = document.place(of: way.first ?? 0)
    let joined = try JoinedKeywords(way, &document)
    if !joined.values.isEmpty { return try enumeration(joined) }
    var result: [GrammarExpression] = []
    let types = joined.writtenTypes
    if types.contains(.null) { result.append(.literal("null")) }
    if types.contains(.boolean) { result += [.literal("true"), .literal("false")] }
    if types.contains(.integer) {
      result.append(try number(in: joined.numbers, isWhole: !types.contains(.fraction)))
    }
    if types.contains(.string) { result.append(try string(joined)) }
    if types.contains(.array) { result.append(try array(joined)) }
    if types.contains(.object) { result.append(try object(joined)) }
    return result
  }
}
