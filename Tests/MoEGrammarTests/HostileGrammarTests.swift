import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Grammars and schemas of strangers: whatever they ask for ends, in an error by name or a mask.
@Suite struct HostileGrammarTests {
  private func compile(_ text: String) throws -> CompiledGrammar {
    try CompiledGrammar(Grammar(gbnf: text), vocabulary: byteVocabulary)
  }

  private func compile(schema: String) throws -> CompiledGrammar {
    try CompiledGrammar(Grammar(jsonSchema: JSON(text: schema)), vocabulary: byteVocabulary)
  }

  private func expectLimit(_ problem: String, _ body: () throws -> CompiledGrammar) {
    let error = #expect(throws: GrammarError.self) { _ = try body() }
    #expect(error?.reason == .limit, "\(error?.description ?? "")")
    #expect(error?.problem.contains(problem) ?? false, "\(error?.description ?? "")")
  }

  @Test func sizesAreBounded() {
    expectLimit("longer than") { try compile(String(repeating: "#", count: 1 << 21)) }
    let nested = String(repeating: "(", count: 100) + "\"a\"" + String(repeating: ")", count: 100)
    expectLimit("nested more than") { try compile("root ::= " + nested) }
    let rules = (0..<30_000).map { "r\($0) ::= \"a\"" }.joined(separator: "\n")
    expectLimit("rules") { try compile("root ::= r1\n" + rules) }
    expectLimit("nodes") {
      try compile("root ::= \"" + String(repeating: "a", count: 600_000) + "\"")
    }
    let texts = (0..<30_000).map { "\"\($0) is the number of a text\"" }.joined(separator: ",")
    expectLimit("characters") { try compile(schema: "{\"enum\":[\(texts)]}") }
    expectLimit("longer than") {
      try compile(schema: "{\"pattern\":\"\(String(repeating: "a", count: 1 << 21))\"}")
    }
    let names = (0..<40_000).map { "\"p\($0)\":{}" }.joined(separator: ",")
    expectLimit("schemas in it") { try compile(schema: "{\"properties\":{\(names)}}") }
  }

  @Test func patternsAreBounded() {
    for pattern in ["(a{1000}){1000}", "(((a{99}){99}){99}){99}", "(.*a){900}", "(a|b)*a(a|b){20}"]
    {
      expectLimit("") { try compile(schema: "{\"type\":\"string\",\"pattern\":\"\(pattern)\"}") }
    }
    let nested = String(repeating: "(", count: 200)
    expectLimit("nested more than") { try compile(schema: "{\"pattern\":\"\(nested)\"}") }
    expectLimit("states") {
      try compile(schema: "{\"type\":\"string\",\"pattern\":\"^(a|bc)*$\",\"maxLength\":90000}")
    }
  }

  @Test func emptyRepetitionsEnd() throws {
    let compiled = try compile("root ::= ((((\"\"{1000000}){1000000})*)*){1000000} \"x\"")
    #expect(try compiled.accepts("x"))
    let schema = "{\"type\":\"string\",\"pattern\":\"^((){1000000}){1000000}x$\"}"
    #expect(try compile(schema: schema).accepts("\"x\""))
    let loops = try compile(
      "root ::= a{3,1000000}\na ::= b* c?\nb ::= c* | \"y\"?\nc ::= \"z\"{0,5}")
    #expect(try loops.accepts("yzzy") && loops.accepts(""))
  }

  @Test func longListsAreFast() throws {
    let numbers = (0..<40_000).map { "\($0)" }.joined(separator: ",")
    let compiled = try compile(schema: "{\"enum\":[\(numbers),\"x\"],\"type\":\"integer\"}")
    #expect(try compiled.accepts("39999") && !compiled.accepts("40000"))
    let letters = String(
      String.UnicodeScalarView((0x4E00..<0x9FFF).compactMap { Unicode.Scalar($0) }))
    let set = try compile(schema: "{\"type\":\"string\",\"pattern\":\"^[\(letters)]$\"}")
    #expect(try set.accepts("\"日\"") && !set.accepts("\"a\""))
  }

  @Test func choicesAreBounded() {
    let choice = "{\"anyOf\":[{\"minimum\":1},{\"minimum\":2},{\"minimum\":3}]}"
    let many = Array(repeating: choice, count: 12).joined(separator: ",")
    expectLimit("ways to choose") { try compile(schema: "{\"allOf\":[\(many)]}") }
    // Each definition has a choice of the next one twice.
    let chain = (0..<100).map { index in
      let next = "{\"$ref\":\"#/$defs/d\(index + 1)\"}"
      return "\"d\(index)\":{\"anyOf\":[\(next),\(next)]}"
    }.joined(separator: ",")
    expectLimit("ways to choose") {
      try compile(
        schema: "{\"$ref\":\"#/$defs/d0\",\"$defs\":{\(chain),\"d100\":{\"type\":\"null\"}}}")
    }
  }

  /// Telling alternatives apart looks into the next definition, and so on.
  @Test func longChainsOfChoicesEnd() {
    let chain = (0..<5000).map { index in
      let next = "{\"$ref\":\"#/$defs/d\(index + 1)\"}"
      let part = "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":\(next)}}"
      return "\"d\(index)\":{\"oneOf\":[\(part),\(part)]}"
    }.joined(separator: ",")
    expectLimit("ways to choose") {
      try compile(schema: "{\"$ref\":\"#/$defs/d0\",\"$defs\":{\(chain),\"d5000\":{}}}")
    }
  }

  @Test func longChainsOfReferencesEnd() throws {
    let chain = (0..<5000).map { "\"d\($0)\":{\"allOf\":[{\"$ref\":\"#/$defs/d\($0 + 1)\"}]}" }
      .joined(separator: ",")
    let schema = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{\(chain),\"d5000\":{\"type\":\"null\"}}}"
    #expect(try compile(schema: schema).accepts("null"))
    let rules = (0..<15_000).map { "r\($0) ::= r\($0 + 1) | \"\($0)\"" }.joined(separator: "\n")
    #expect(try compile("root ::= r0\n\(rules)\nr15000 ::= \"x\"").accepts("7"))
    // As many rules in each other as no text may be in.
    let deep = (0..<500).map { "r\($0) ::= \"(\" r\($0 + 1) \")\"" }.joined(separator: "\n")
    let error = #expect(throws: GrammarError.self) {
      try compile("root ::= r0\n\(deep)\nr500 ::= \"x\"")
    }
    #expect(error?.reason == .impossible)
  }

  /// Two ways to read each character, with different ends: as many stacks as there are texts.
  @Test func ambiguityStaysSmall() throws {
    let compiled = try compile(
      "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root \"bb\" | \"x\"")
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(bytes: Array(repeating: UInt8(ascii: "a"), count: 150))
    try matcher.accept(bytes: Array("x".utf8))
    try matcher.accept(bytes: Array(repeating: UInt8(ascii: "b"), count: 140))
    #expect(try matcher.allowed().count == 2)
    #expect(compiled.byteCount < compiled.byteCountMax)
  }

  @Test func damagedTextsNeverTrapFuzz() {
    let pieces = [
      "root", " ::= ", "\"a\"", "[a-z]", "[^\\n]", "(", ")", "|", "*", "+", "?", "{2,5}", "{,",
      "\n", "#",
      ".", "\\x4", "a", " ", "\"", "[", "]", "\\", "é", "<", "{99999}", "::=",
    ]
    var readCount = 0
    let seeds = Fuzz.seeds(3000)
    for seed in seeds {
      var generator = SeededGenerator(seed: seed)
      var text = "root ::= "
      for _ in 0..<Int.random(in: 1...12, using: &generator) {
        text += pieces.randomElement(using: &generator) ?? ""
      }
      do throws(GrammarError) {
        let compiled = try CompiledGrammar(Grammar(gbnf: text), vocabulary: byteVocabulary)
        _ = try GrammarMatcher(compiled).allowed()
        readCount += 1
      } catch {
        #expect(!error.problem.isEmpty, "seed \(seed)")
      }
    }
    // Some of the damage must be survivable, or only the reader is tested.
    #expect(readCount >= seeds.count / 40)
  }

  @Test func damagedSchemasNeverTrapFuzz() throws {
    let pieces: [JSON] = [
      .null, .bool(true), .integer(-1), .number("1e999"), .number("0.5"), .string("#"),
      .string("^(a"),
      .string("object"), .array([]), .object([]), .array([.object([])]), .string("#/properties/a"),
      .integer(1 << 40), .array([.string("a"), .string("a")]), .bool(false),
    ]
    var compiledCount = 0
    let seeds = Fuzz.seeds(800)
    for seed in seeds {
      var random = RandomSchema(generator: SeededGenerator(seed: seed))
      var schema = random.document()
      for _ in 0..<3 { schema = damaged(schema, pieces, &random.generator) }
      do throws(GrammarError) {
        let compiled = try CompiledGrammar(Grammar(jsonSchema: schema), vocabulary: byteVocabulary)
        _ = try GrammarMatcher(compiled).allowed()
        compiledCount += 1
      } catch {
        #expect(!error.problem.isEmpty, "seed \(seed)")
      }
    }
    #expect(compiledCount >= seeds.count / 8)
  }

  private func damaged(
    _ value: JSON, _ pieces: [JSON], _ generator: inout SeededGenerator
  ) -> JSON {
    if Int.random(in: 0..<6, using: &generator) == 0 {
      return pieces.randomElement(using: &generator) ?? .null
    }
    switch value {
    case .array(var elements) where !elements.isEmpty:
      let place = Int.random(in: 0..<elements.count, using: &generator)
      elements[place] = damaged(elements[place], pieces, &generator)
      return .array(elements)
    case .object(var members) where !members.isEmpty:
      let place = Int.random(in: 0..<members.count, using: &generator)
      members[place].value = damaged(members[place].value, pieces, &generator)
      return .object(members)
    default: return value
    }
  }
}
