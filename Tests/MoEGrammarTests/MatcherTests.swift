import MoECore
import MoEGrammar
import Testing

/// Matchers and masks: what a sampler relies on.
@Suite struct MatcherTests {
  private func vocabulary(_ tokens: [String?], end: Int32) throws -> GrammarVocabulary {
    try GrammarVocabulary(count: tokens.count, endTokens: [end]) { index in
      tokens[Int(index)].map { Array($0.utf8) }
    }
  }

  @Test func masksHaveTokensThatGoOnAndTheEnd() throws {
    let tokens = ["a", "b", "ab", "abc", "", nil, "ba", "a", "</s>"]
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= ("ab")+"#), vocabulary: vocabulary(tokens, end: 8))
    var matcher = GrammarMatcher(compiled)
    #expect(try matcher.allowed().tokens == [0, 2, 7])
    try matcher.accept(7)
    #expect(try matcher.allowed().tokens == [1, 6])
    #expect(!matcher.isComplete)
    try matcher.accept(6)
    try matcher.accept(1)
    #expect(matcher.isComplete)
    let mask = try matcher.allowed()
    #expect(mask.tokens == [0, 2, 7, 8] && mask.count == 4)
    #expect((0..<9).map { mask.contains($0) } == (0..<9).map { [0, 2, 7, 8].contains($0) })
    #expect(!mask.contains(-1) && !mask.contains(9) && !mask.contains(.max))
    // The end changes nothing; its text is never written.
    try matcher.accept(8)
    #expect(matcher.isComplete)
    #expect(try matcher.allowed().tokens == [0, 2, 7, 8])
  }

  @Test func appliesMasksToLogits() throws {
    let tokens = (0..<1000).map { Optional("\($0)") }
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= [1-7] [0-9]*"#), vocabulary: vocabulary(tokens, end: 999))
    var matcher = GrammarMatcher(compiled)
    for _ in 0..<2 {
      let mask = try matcher.allowed()
      var logits = [Float](repeating: 1, count: 1004)
      var span = logits.mutableSpan
      mask.apply(to: &span)
      for (index, logit) in logits.enumerated() {
        #expect((logit == 1) == mask.contains(Int32(index)), "\(index)")
      }
      #expect(mask.count == logits.count { $0 == 1 })
      #expect(mask.words.reduce(0) { $0 + $1.nonzeroBitCount } == mask.count)
      try matcher.accept(7)
    }
  }

  @Test func aCopyIsABranch() throws {
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= "a" ("b" | "c")"#), vocabulary: byteVocabulary)
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(bytes: Array("a".utf8))
    var branch = matcher
    try branch.accept(bytes: Array("b".utf8))
    #expect(branch.isComplete && !matcher.isComplete)
    try matcher.accept(bytes: Array("c".utf8))
    #expect(matcher.isComplete)
  }

  @Test func refusedTokensChangeNothing() throws {
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= "abc" "d"?"#), vocabulary: byteVocabulary)
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(bytes: Array("ab".utf8))
    for token: Int32 in [0, 97, 256, 257, -1, .max] {
      let error = #expect(throws: GrammarError.self) { try matcher.accept(token) }
      #expect(error?.reason == .refused && error?.problem.contains("\"ab\"") ?? false)
    }
    #expect(throws: GrammarError.self) { try matcher.accept(bytes: Array("cx".utf8)) }
    try matcher.accept(bytes: Array("c".utf8))
    try matcher.accept(256)
    #expect(matcher.isComplete)
  }

  @Test func saysWhereItIsStuck() throws {
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= "xy" [0-4z]"#), vocabulary: vocabulary(["x", "y", "7"], end: 2))
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(0)
    try matcher.accept(1)
    let error = #expect(throws: GrammarError.self) { try matcher.allowed() }
    #expect(error?.reason == .stuck)
    #expect(error?.problem.contains("behind \"xy\"") ?? false, "\(error?.problem ?? "")")
    #expect(error?.problem.contains("\"0\" to \"4\", \"z\"") ?? false, "\(error?.problem ?? "")")
  }

  @Test func anEmptyVocabularyIsStuckAtOnce() throws {
    let empty = try GrammarVocabulary(count: 0, endTokens: [3, -1]) { _ in nil }
    let matcher = GrammarMatcher(
      try CompiledGrammar(Grammar(gbnf: #"root ::= "a"?"#), vocabulary: empty))
    let error = #expect(throws: GrammarError.self) { try matcher.allowed() }
    #expect(error?.reason == .stuck)
  }

  @Test func charactersMayBeCutAcrossTokens() throws {
    let pieces: [[UInt8]] = [
      [0xF0], [0x9F, 0x98], [0x80], [0xC3], [0xA9], [0xA9, 0xC3], [0x80, 0x61],
    ]
    let vocabulary = try GrammarVocabulary(count: 8, endTokens: [7]) { index in
      index < 7 ? pieces[Int(index)] : nil
    }
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= [é😀]+"#), vocabulary: vocabulary)
    var matcher = GrammarMatcher(compiled)
    #expect(try matcher.allowed().tokens == [0, 3])
    try matcher.accept(3)
    #expect(try matcher.allowed().tokens == [4, 5])
    try matcher.accept(5)
    try matcher.accept(4)
    #expect(try matcher.allowed().tokens == [0, 3, 7])
    try matcher.accept(0)
    try matcher.accept(1)
    // U+1F600 alone ends so, and behind it no a may stand.
    #expect(try matcher.allowed().tokens == [2])
  }

  /// A long text makes more states than are kept. A matcher from before goes on all the same.
  @Test func forgottenStatesAreFoundAgain() throws {
    let compiled = try CompiledGrammar(
      Grammar(gbnf: #"root ::= "(" root ")" | [a-z]{400000}"#), vocabulary: byteVocabulary)
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(bytes: Array("(((".utf8))
    let early = matcher
    var byteCountMax = 0
    for _ in 0..<100 {
      try matcher.accept(bytes: Array(repeating: UInt8(ascii: "q"), count: 4000))
      byteCountMax = max(byteCountMax, compiled.byteCount)
    }
    #expect(try matcher.allowed().tokens == [Int32(UInt8(ascii: ")"))])
    #expect(byteCountMax > 8 << 20 && byteCountMax <= compiled.byteCountMax)
    var late = early
    #expect(try late.allowed().count == 27)
    try late.accept(bytes: Array("(ab".utf8))
    #expect(try late.allowed().count == 26)
    try matcher.accept(bytes: Array(")))".utf8))
    #expect(matcher.isComplete)
  }

  /// Text that is counted and text behind it: a token may be of both.
  @Test func tokensReachPastWhatIsCounted() throws {
    let tokens = ["x", "xyz", "xyza", "xyzabc", "xyzb", "xyzabcd", "yzab", "zabc", "abc", "€€€ab"]
    for text in [
      #"root ::= [^"\\\x00-\x1F\x7F]{3} "abc""#,
      #"root ::= "" text "abc"\#ntext ::= "" [^"\\\x00-\x1F\x7F]{3}"#,
      #"root ::= ([^"\\\x00-\x1F\x7F]{3}) ("abc" | "\"")"#,
    ] {
      let compiled = try CompiledGrammar(
        Grammar(gbnf: text), vocabulary: vocabulary(tokens, end: 10))
      var matcher = GrammarMatcher(compiled)
      #expect(
        try matcher.allowed().tokens == [0, 1, 2, 3, 6, 7, 8, 9].filter { $0 != 6 && $0 != 7 })
      try matcher.accept(0)
      #expect(try matcher.allowed().tokens == [0, 6])
    }
  }

  /// Behind the last level that is allowed there must be a way back, also out of what is repeated.
  @Test func nothingIsBegunThatIsTooDeep() throws {
    func rules(_ body: GrammarExpression) -> [Grammar.Rule] {
      [
        Grammar.Rule(
          name: "root",
          expression: .choice([.sequence([.literal("ab"), body, .literal("z")]), .literal("c")])),
        Grammar.Rule(
          name: "x", expression: .sequence([.literal("("), .rule(2), .literal(")")])),
        Grammar.Rule(
          name: "y", expression: .sequence([.literal("["), .rule(3), .literal("]")])),
        // Too long to be written out in place of its rule.
        Grammar.Rule(name: "z", expression: .literal(String(repeating: "d", count: 80))),
      ]
    }
    let part = "([" + String(repeating: "d", count: 80) + "])"
    for (body, isNeeded) in [
      (GrammarExpression.repetition(.rule(1), min: 2, max: 3), true),
      (.repetition(.rule(1), min: 0, max: 3), false),
      (.repetition(.rule(1), min: 1, max: nil), true),
      (.optional(.rule(1)), false),
      (.repetition(.repetition(.rule(1), min: 2, max: 2), min: 1, max: 4), true),
    ] {
      for depthMax in 1...5 {
        let compiled = try CompiledGrammar(
          Grammar(rules: rules(body), root: 0, depthMax: depthMax), vocabulary: byteVocabulary)
        var matcher = GrammarMatcher(compiled)
        let isShallow = try compiled.accepts("ab" + part + part + "z")
        let begins = try matcher.allowed().contains(Int32(UInt8(ascii: "a")))
        #expect(begins || isNeeded, "\(depthMax)")
        if !begins { continue }
        try matcher.accept(bytes: Array("ab".utf8))
        let goesOn = try matcher.allowed().contains(Int32(UInt8(ascii: "(")))
        #expect(goesOn || !isNeeded)
        if goesOn { try matcher.accept(bytes: Array(part.utf8)) }
        #expect(!isShallow || goesOn)
      }
    }
  }

  /// Tokens of several levels, up to the last level; also where all that they lead to is known from
  /// elsewhere.
  @Test func tokensStayWithinTheLimitOfDepth() throws {
    let tokens = ["[", "[[", "[[[[[[", "]", "]]", "1", "[[1", "[q", "([", "([[[[", ")", "[[1]]"]
    let grammar = try Grammar(
      gbnf: """
        root ::= w
        w ::= "[" "q" | v
        v ::= "[" v "]" | "1" | "(" w ")"
        """)
    let compiled = try CompiledGrammar(
      Grammar(rules: grammar.rules, root: grammar.root, depthMax: 9),
      vocabulary: vocabulary(tokens, end: 12))
    for prefix in [
      "", "[", "(", "[(", "(((", "[[[[", "[[[((", "[[(((((", "([([([([", "(((((((", "[[[[[[[[",
    ] {
      var matcher = GrammarMatcher(compiled)
      try matcher.accept(bytes: Array(prefix.utf8))
      let mask = try matcher.allowed()
      for token in Int32(0)..<12 {
        var copy = matcher
        let isAccepted = (try? copy.accept(token)) != nil
        #expect(mask.contains(token) == isAccepted, "\(prefix), \(tokens[Int(token)])")
      }
    }
  }

  @Test func nestingIsBounded() throws {
    let compiled = try CompiledGrammar(Grammar.anyJSONObject(), vocabulary: byteVocabulary)
    var matcher = GrammarMatcher(compiled)
    try matcher.accept(bytes: Array("{\"a\":".utf8))
    var depth = 1
    while (try? matcher.accept(bytes: Array("[".utf8))) != nil { depth += 1 }
    #expect((40...64).contains(depth), "\(depth)")
    // It goes on, but no deeper.
    let mask = try matcher.allowed()
    #expect(mask.count > 0 && !mask.contains(Int32(UInt8(ascii: "["))))
    var text = "{\"a\":" + String(repeating: "[", count: depth - 1)
    while !matcher.isComplete {
      let mask = try matcher.allowed()
      let closing = [UInt8(ascii: "]"), UInt8(ascii: "}")].first { mask.contains(Int32($0)) }
      let byte = closing ?? UInt8(ascii: "1")
      try matcher.accept(bytes: [byte])
      text += String(UnicodeScalar(byte))
    }
    #expect(throws: Never.self) { try JSON(text: text) }
  }
}
