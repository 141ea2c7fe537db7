import MoECore
import MoERuntime
import MoETemplates
import MoETestSupport
import Testing

/// Texts in a given form, from the trained model, which knows nothing of forms.
@Suite struct GrammarTests {
  private static func engine(
    _ change: (inout EngineOptions) -> Void = { _ in }
  ) async throws -> Engine {
    var options = EngineOptions()
    options.contextLength = 512
    options.holdsGrammars = true
    change(&options)
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  private static func options(_ grammar: OutputGrammar, seed: UInt64) -> GenerationOptions {
    var options = GenerationOptions()
    options.tokenCountMax = 300
    options.grammar = grammar
    options.sampling.seed = seed
    options.sampling.temperature = 1.5
    return options
  }

  private static func run(
    _ generation: Generation
  ) async throws -> (text: String, finish: FinishReason) {
    var text = ""
    for try await token in generation { text += token.text }
    return (text, try #require(generation.statistics).finish)
  }

  private static let schema = """
    {"type": "object", "additionalProperties": false, "required": ["name", "age", "tags"],
     "properties": {"name": {"type": "string", "minLength": 2, "maxLength": 12},
       "age": {"type": "integer", "minimum": 3, "maximum": 120},
       "tags": {"type": "array", "items": {"enum": ["cat", "dog"]}, "minItems": 1, "maxItems": 3}}}
    """

  private static func check(_ text: String) throws {
    let value = try JSON(text: text)
    guard case .object(let members) = value, case .string(let name)? = value["name"],
      case .number(let age)? = value["age"], case .array(let tags)? = value["tags"]
    else {
      Issue.record("'\(text)' has not the form that was asked for")
      return
    }
    #expect(members.map(\.name) == ["name", "age", "tags"])
    #expect((2...12).contains(name.unicodeScalars.count))
    #expect((3...120).contains(try #require(Int(age))))
    #expect((1...3).contains(tags.count))
    #expect(tags.allSatisfy { $0 == .string("cat") || $0 == .string("dog") })
  }

  @Test(arguments: [Speculation.off, .ngram])
  func everyTextThatEndsIsValid(_ speculation: Speculation) async throws {
    let engine = try await Self.engine {
      $0.parallelRequestCount = 4
      $0.speculation = speculation
    }
    let grammar = try engine.grammar(jsonSchema: Self.schema)
    try await withThrowingTaskGroup(of: (String, FinishReason).self) { group in
      for seed in 0..<12 as Range<UInt64> {
        group.addTask {
          try await Self.run(
            engine.generate("Once upon a time", Self.options(grammar, seed: seed)))
        }
      }
      for try await (text, finish) in group {
        #expect(finish == .end)
        try Self.check(text)
      }
    }
  }

  @Test func grammarsInTheirOwnLanguageHold() async throws {
    let engine = try await Self.engine()
    let grammar = try engine.grammar(
      gbnf: #"root ::= ("dog" | "cat") (" and " [a-z]{3})* ".""#)
    for seed in 0..<4 as Range<UInt64> {
      let found = try await Self.run(engine.generate("The", Self.options(grammar, seed: seed)))
      let isWhole = found.text.wholeMatch(of: /(dog|cat)( and [a-z]{3})*\./) != nil
      #expect(isWhole || found.finish == .length)
    }
  }

  @Test func formsBeginBehindThinking() async throws {
    let engine = try await Self.engine()
    let prompt = "Once upon a time there was a little girl"
    var options = GenerationOptions()
    options.tokenCountMax = 40
    options.sampling = .greedy
    let plain = try await Self.run(engine.generate(prompt, options)).text
    // A word that the model writes anyway stands for the end of its thinking.
    let marker = String(try #require(plain.split(separator: " ").dropFirst(3).first))
    let grammar = try engine.grammarOfAnyJSONObject()
      .beginning(behind: ContentStart(opening: nil, closing: marker))
    options.grammar = grammar
    options.tokenCountMax = 300
    let found = try await Self.run(engine.generate(prompt, options))
    let range = try #require(found.text.firstRange(of: marker))
    #expect(plain.hasPrefix(found.text[..<range.upperBound]))
    let rest = found.text[range.upperBound...]
    #expect(rest.first == "{")
    if found.finish == .end { _ = try JSON(text: String(rest)) }
  }

  @Test func formsThatCannotBeKeptAreNamed() async throws {
    let engine = try await Self.engine()
    #expect(throws: EngineError.self) { try engine.grammar(gbnf: "root ::= missing") }
    #expect(throws: EngineError.self) { try engine.grammar(jsonSchema: "{\"type\": ") }
    #expect(throws: EngineError.self) {
      try engine.grammar(jsonSchema: "{\"type\": \"array\", \"uniqueItems\": true}")
    }
    let unplanned = try await Self.engine { $0.holdsGrammars = false }
    #expect(throws: EngineError.self) { try unplanned.grammar(jsonSchema: "{}") }
  }
}
