import MoECore
import MoETokenizer
import Testing

/// Expressions that a published tokenizer brings along, which may be any.
@Suite struct ExpressionTests {
  private func tokenizer(
    _ expressions: [String], change: (inout MemoryMetadata) -> Void = { _ in }
  ) throws -> Tokenizer {
    var vocabulary = MadeUpVocabulary()
    vocabulary.addMerge("a", "a")
    vocabulary.addMerge("a", "b")
    var metadata = vocabulary.metadata
    metadata["pre"] = nil
    metadata.values["tokenizer.expressions"] = .strings(expressions)
    change(&metadata)
    return try Tokenizer(metadata: metadata)
  }

  /// Which texts of two letters an expression takes as one word shows in whether they merge.
  @Test(arguments: [
    ("a+", "aa", true), ("a", "aa", false), ("[ab]{2}", "aa", true), ("a{1}", "aa", false),
    ("(?i:A)+", "aa", true), ("[^b]+", "aa", true), (#"\x61\u0061"#, "aa", true),
    (#"\p{Ll}+"#, "aa", true), (#"\P{L}+|a"#, "aa", false), ("[a-b&&[^b]]+", "aa", true),
    ("(?>a+)", "aa", true), ("a+?", "aa", false), ("a++", "aa", true), ("(?:a|b)+", "ab", true),
    ("a(?=b)|b", "ab", false), ("a(?!b).?|b", "ab", false), (#"\w+\b"#, "ab", true),
    ("(?:ab){1,2}", "ab", true), ("a??b", "ab", true), ("(a)(b)", "ab", true),
  ])
  func wordsAreWhatTheExpressionTakes(expression: String, text: String, merges: Bool) throws {
    let tokenizer = try tokenizer([expression])
    #expect((tokenizer.encode(text).count == 1) == merges)
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
  }

  @Test(arguments: [
    ("(a", "("), ("a)", ")"), ("[a", "too early"), ("*a", "repeats nothing"), ("a{3,2}", "{3,2}"),
    ("a{9999}b", "1000"), ("(?:(?:a{900}){900}){900}", "too much"), ("(?<=a)b", "(?<="),
    (#"\p{Klingon}"#, "Klingon"), (#"\h"#, #"\h"#), ("[z-a]", "range"), ("a*", "nothing is"),
    ("(?:a*)*b", "empty"), ("[[:alpha:]]", "[: :]"), (#"\x{D800}"#, "none"), (#"a\"#, "early"),
    (String(repeating: "(", count: 1000), "deep"),
  ])
  func whatIsNotKnownIsRefusedByName(expression: String, problem: String) throws {
    let error = try #require(throws: TokenizerError.self) { try tokenizer([expression]) }
    #expect(error.reason == .unsupported && error.found.contains(problem), "\(error)")
  }

  /// Engines of this kind take exponential time for such expressions: they would not end.
  @Test(arguments: ["(?:a|aa)+c", "(?:a+a?)+c", "a+a+a+a+c"])
  func pathologicalExpressionsEnd(expression: String) throws {
    let text = String(repeating: "a", count: 2000)
    let tokenizer = try tokenizer([expression])
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
  }

  @Test func laterExpressionsCutWhatEarlierOnesLeft() throws {
    // The second sees the ends of what the first has cut.
    let tokenizer = try tokenizer(["b", #"\Aa+\z|a"#])
    #expect(tokenizer.encode("aab") == [256, 98] && tokenizer.encode("aa") == [256])
  }

  @Test func textBetweenMatchesCanBeLeftOut() throws {
    let tokenizer = try tokenizer(["a+"]) {
      $0.values["tokenizer.expressions_drop_gaps"] = .array(.bool([true]))
    }
    #expect(tokenizer.encode("b aa c") == [256])
  }

  @Test func damagedBytesAreMatchedLikeAnyCharacter() throws {
    let tokenizer = try tokenizer([#"\p{L}+|[^\p{L}]"#])
    for seed in UInt64(1)...200 {
      var generator = SeededGenerator(seed: seed)
      let bytes = (0..<20).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(tokenizer.decode(tokenizer.encode(bytes: bytes)) == text, "seed \(seed)")
    }
  }

  @Test func charactersAreComposedWhereTheFileSaysSo() throws {
    let plain = try tokenizer(["."])
    let composing = try tokenizer(["."]) { $0.values["tokenizer.normal_form"] = .string("NFC") }
    #expect(plain.encode("e\u{301}a").count == 4)
    #expect(composing.encode("e\u{301}a") == plain.encode("éa"))
    #expect(throws: TokenizerError.self) {
      try tokenizer(["."]) { $0.values["tokenizer.normal_form"] = .string("NFKD") }
    }
  }

  @Test func tokensStripWhiteSpaceOnTheSidesThatTheFileNames() throws {
    let tokenizer = try tokenizer(["a+|."]) { metadata in
      guard case .array(.strings(var tokens)) = metadata["tokens"],
        case .array(.signed(let kinds)) = metadata["token_type"]
      else { return }
      tokens.append(Array("<l>".utf8))
      tokens.append(Array("<r>".utf8))
      metadata["tokens"] = .array(.strings(tokens))
      metadata["token_type"] = .array(.signed(kinds + [3, 4]))
      metadata.values["tokenizer.tokens_stripping_left"] = .array(.unsigned([258]))
      metadata.values["tokenizer.tokens_stripping_right"] = .array(.unsigned([259]))
    }
    #expect(tokenizer.encode("a \n<l> a", parseSpecial: true) == [97, 258, 32, 97])
    #expect(tokenizer.encode("a <r> \ta") == [97, 32, 259, 97])
  }
}
