import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Masks of random grammars against the naive recogniser, token by token and state by state.
@Suite struct MaskFuzzTests {
  /// ASCII, characters of two to four bytes, and large sets: nearly all, and all that JSON strings
  /// have as it is, or some more or less.
  private static let sets = [
    ScalarSet("a"), ScalarSet("ab"), ScalarSet("abc"), ScalarSet("é"), ScalarSet("aé€"),
    ScalarSet("😀"), ScalarSet([0xE0...0xEA]), ScalarSet([0x7FE...0x803]), ScalarSet("x\"\\"),
    ScalarSet("b").complement, plain, plain, plain.union(ScalarSet("\"")),
    plain.subtracting(ScalarSet("€")),
  ]

  private static let plain = ScalarSet([
    0x00...0x1F, 0x22...0x22, 0x5C...0x5C, 0x7F...0x7F,
  ]).complement

  private static func expression(
    _ depth: Int, _ ruleCount: Int, _ generator: inout SeededGenerator
  ) -> GrammarExpression {
    let kind = Int.random(in: 0..<(depth == 0 ? 3 : 8), using: &generator)
    switch kind {
    case 0: return .character(sets.randomElement(using: &generator) ?? .all)
    case 1:
      return .literal(
        ["a", "ab", "b", "", "é", "ca", "\"x"].randomElement(using: &generator) ?? "")
    case 2: return .rule(Int.random(in: 0..<ruleCount, using: &generator))
    case 3, 4:
      let count = Int.random(in: 1...3, using: &generator)
      return .sequence((0..<count).map { _ in expression(depth - 1, ruleCount, &generator) })
    case 5, 6:
      let count = Int.random(in: 1...3, using: &generator)
      return .choice((0..<count).map { _ in expression(depth - 1, ruleCount, &generator) })
    default:
      let min = Int.random(in: 0...3, using: &generator)
      let max =
        Bool.random(using: &generator) ? nil : min + Int.random(in: 0...3, using: &generator)
      return .repetition(expression(depth - 1, ruleCount, &generator), min: min, max: max)
    }
  }

  static func grammar(_ generator: inout SeededGenerator, depthMax: Int) -> Grammar {
    let ruleCount = Int.random(in: 1...4, using: &generator)
    let rules = (0..<ruleCount).map { index in
      Grammar.Rule(name: "r\(index)", expression: expression(3, ruleCount, &generator))
    }
    return Grammar(rules: rules, root: 0, depthMax: depthMax)
  }

  static func vocabulary(
    _ generator: inout SeededGenerator, allBytes: Bool
  ) throws -> TestVocabulary {
    let parts = ["a", "b", "c", "é", "€", "😀", "x", "\"", "\\", "ab", "ã", "\u{800}", "\u{7FF}"]
    var pieces: [[UInt8]] = []
    for _ in 0..<60 {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        text += Array((parts.randomElement(using: &generator) ?? "").utf8)
      }
      if Int.random(in: 0..<4, using: &generator) == 0 { text.removeFirst() }
      if Int.random(in: 0..<4, using: &generator) == 0 { _ = text.popLast() }
      if !text.isEmpty { pieces.append(text) }
    }
    return try TestVocabulary(pieces, allBytes: allBytes)
  }

  private static func isUsable(_ grammar: Grammar, _ oracle: NaiveRecogniser) throws -> Bool {
    do throws(GrammarError) {
      _ = try CompiledGrammar(grammar, vocabulary: byteVocabulary)
      #expect(oracle.hasText)
      return true
    } catch {
      // Random rules call themselves first now and then, or never end.
      #expect(error.reason == (oracle.hasText ? .unsupported : .impossible), "\(error)")
      return false
    }
  }

  @Test func masksAreThoseOfTheNaiveRecogniser() throws {
    var (usableCount, stateCount, stuckCount) = (0, 0, 0)
    // An iteration takes as long as ten of other fuzz tests.
    let seeds = Fuzz.seeds(6000, iterationsPerRun: 10)
    for seed in seeds {
      var generator = SeededGenerator(seed: seed)
      let grammar = Self.grammar(&generator, depthMax: 400)
      let oracle = NaiveRecogniser(grammar)
      guard try Self.isUsable(grammar, oracle) else { continue }
      usableCount += 1
      let vocabulary = try Self.vocabulary(
        &generator, allBytes: Bool.random(using: &generator))
      let compiled = try CompiledGrammar(grammar, vocabulary: vocabulary.vocabulary)
      var matcher = GrammarMatcher(compiled)
      var text: [UInt8] = []
      for _ in 0..<8 {
        stateCount += 1
        let isComplete = oracle.judge(text).isComplete
        var wanted: [Int32] = isComplete ? [vocabulary.endToken] : []
        for (token, bytes) in vocabulary.tokens.enumerated() {
          guard let bytes else { continue }
          let judged = oracle.judge(text + bytes)
          if judged.isComplete || judged.goesOn { wanted.append(Int32(token)) }
        }
        wanted.sort()
        if wanted.isEmpty {
          stuckCount += 1
          #expect(throws: GrammarError.self) { try matcher.allowed() }
          break
        }
        let mask = try matcher.allowed()
        #expect(matcher.isComplete == isComplete, "seed \(seed), \(text)")
        try #require(mask.tokens == wanted, "seed \(seed), behind \(text): \(grammar)")
        guard
          let token = wanted.filter({ $0 != vocabulary.endToken }).randomElement(using: &generator)
        else { break }
        try matcher.accept(token)
        text += try #require(vocabulary.tokens[Int(token)])
      }
    }
    // Some must be usable, or nothing was compared.
    #expect(usableCount >= seeds.count / 4 && stateCount >= 3 * usableCount / 2)
    #expect(stuckCount <= usableCount / 2)
  }

  /// With a small limit of depth no text is stuck, and every mask is a part of what the grammar
  /// allows.
  @Test func aLimitOfDepthLeavesAWayOn() throws {
    for seed in Fuzz.seeds(6000, iterationsPerRun: 40) {
      var generator = SeededGenerator(seed: seed &+ 1_000_000)
      let grammar = Self.grammar(&generator, depthMax: Int.random(in: 1...4, using: &generator))
      let oracle = NaiveRecogniser(grammar)
      let vocabulary = try Self.vocabulary(&generator, allBytes: true)
      guard oracle.hasText,
        let compiled = try? CompiledGrammar(grammar, vocabulary: vocabulary.vocabulary)
      else { continue }
      var matcher = GrammarMatcher(compiled)
      var text: [UInt8] = []
      for _ in 0..<12 {
        let mask = try matcher.allowed()
        let tokens = mask.tokens.filter { $0 != vocabulary.endToken }
        for token in tokens {
          let judged = oracle.judge(text + (vocabulary.tokens[Int(token)] ?? []))
          #expect(judged.isComplete || judged.goesOn, "seed \(seed)")
          // A token is allowed just if all its bytes are, one after the other.
          var copy = matcher
          #expect(throws: Never.self, "seed \(seed)") { try copy.accept(token) }
        }
        for byte in UInt8.min...UInt8.max {
          var copy = matcher
          let isAccepted = (try? copy.accept(bytes: [byte])) != nil
          #expect(mask.contains(Int32(byte)) == isAccepted, "seed \(seed), byte \(byte)")
        }
        guard let token = tokens.randomElement(using: &generator) else { break }
        try matcher.accept(token)
        text += try #require(vocabulary.tokens[Int(token)])
      }
    }
  }
}
