import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Random schemas and random logits: whatever is written is valid, as Python's `jsonschema` says.
@Suite struct SchemaFuzzTests {
  /// Compares a mask with what the bytes of each token do.
  private func check(
    _ matcher: GrammarMatcher, _ vocabulary: TestVocabulary, _ seed: UInt64
  ) throws {
    let mask = try matcher.allowed()
    for (token, bytes) in vocabulary.tokens.enumerated() {
      guard let bytes else { continue }
      var copy = matcher
      let isAccepted = (try? copy.accept(bytes: bytes)) != nil
      #expect(mask.contains(Int32(token)) == isAccepted, "seed \(seed), token \(token)")
    }
    #expect(mask.contains(vocabulary.endToken) == matcher.isComplete, "seed \(seed)")
  }

  @Test(PythonOracle.needed) func whatIsWrittenIsValid() throws {
    var cases: [PythonOracle.Case] = []
    var (count, refusedCount, endlessCount) = (0, 0, 0)
    for seed in Fuzz.seeds(2000) {
      count += 1
      var random = RandomSchema(generator: SeededGenerator(seed: seed))
      let schema = random.document()
      let vocabulary = try TestVocabulary.mixed(&random.generator)
      let compiled: CompiledGrammar
      do throws(GrammarError) {
        compiled = try CompiledGrammar(
          Grammar(jsonSchema: schema), vocabulary: vocabulary.vocabulary)
      } catch {
        // What can't be enforced or has no values is said, never tried.
        #expect(
          error.reason == .unsupported || error.reason == .impossible, "seed \(seed): \(error)")
        refusedCount += 1
        continue
      }
      var generator = random.generator
      guard let text = try compiled.sample(vocabulary, &generator) else {
        endlessCount += 1
        continue
      }
      let written = String(decoding: text, as: UTF8.self)
      cases.append(.init(schema: schema, text: written, isValid: true, "seed \(seed)"))
      if seed % 8 == 0 {
        var matcher = GrammarMatcher(compiled)
        try matcher.accept(
          bytes: Array(text.prefix(Int.random(in: 0...text.count, using: &generator))))
        try check(matcher, vocabulary, seed)
      }
    }
    // Most schemas must be usable and most texts end, or little was tried.
    #expect(refusedCount <= count / 4, "\(refusedCount) of \(count) refused")
    #expect(endlessCount <= count / 10, "\(endlessCount) of \(count) without an end")
    try PythonOracle.check(cases)
  }

  @Test(PythonOracle.needed) func whatIsValidIsAccepted() throws {
    var cases: [PythonOracle.Case] = []
    for seed in Fuzz.seeds(600) {
      var random = RandomInstance(generator: SeededGenerator(seed: seed))
      let (schema, value) = random.pair(depth: 3)
      let text = random.text(value)
      let isAccepted = try Grammar(jsonSchema: schema).accepts(text)
      #expect(isAccepted, "seed \(seed): \(text) by \(schema.jsonText)")
      cases.append(.init(schema: schema, text: text, isValid: true, "seed \(seed)"))
    }
    try PythonOracle.check(cases)
  }
}
