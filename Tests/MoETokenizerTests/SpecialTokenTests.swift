import MoECore
import MoETokenizer
import Testing

@Suite struct SpecialTokenTests {
  private let begin: Int32 = 256
  private let end: Int32 = 257
  private let tag: Int32 = 258
  private let unknown: Int32 = 259

  private func metadata() -> MemoryMetadata {
    var vocabulary = MadeUpVocabulary()
    vocabulary.add("<s>", kind: 3)
    vocabulary.add("</s>", kind: 3)
    vocabulary.add("<tag>", kind: 4)
    vocabulary.add("<unk>", kind: 2)
    var metadata = vocabulary.metadata
    metadata["bos_token_id"] = .unsigned(256)
    metadata["eos_token_id"] = .unsigned(257)
    return metadata
  }

  @Test func controlAndUnknownTokensAreParsedOnlyOnDemand() throws {
    let tokenizer = try Tokenizer(metadata: metadata())
    #expect(
      tokenizer.encode("a<s></s><unk>b", parseSpecial: true) == [97, begin, end, unknown, 98])
    let plain = tokenizer.encode("a<s></s><unk>b")
    #expect(plain.allSatisfy { $0 < 256 })
    #expect(tokenizer.decode(plain) == "a<s></s><unk>b")
  }

  @Test func userDefinedTokensAreAlwaysParsed() throws {
    let tokenizer = try Tokenizer(metadata: metadata())
    for parseSpecial in [false, true] {
      #expect(tokenizer.encode("<tag> <tag>", parseSpecial: parseSpecial) == [tag, 32, tag])
    }
  }

  @Test func beginAndEndAreAddedWhereTheModelWantsThem() throws {
    var metadata = metadata()
    #expect(try Tokenizer(metadata: metadata).encode("a") == [97])
    metadata["add_bos_token"] = .bool(true)
    metadata["add_eos_token"] = .bool(true)
    let tokenizer = try Tokenizer(metadata: metadata)
    #expect(tokenizer.addsBeginToken && tokenizer.addsEndToken)
    #expect(tokenizer.encode("a") == [begin, 97, end])
    #expect(tokenizer.encode("a", addSpecial: false) == [97])
    #expect(tokenizer.encode("") == [begin, end])
  }

  @Test func controlTokensAreShownOnlyOnDemand() throws {
    let tokenizer = try Tokenizer(metadata: metadata())
    #expect(tokenizer.bytes(of: begin, renderSpecial: false) == [])
    #expect(tokenizer.bytes(of: begin, renderSpecial: true) == Array("<s>".utf8))
    #expect(tokenizer.bytes(of: tag, renderSpecial: false) == Array("<tag>".utf8))
    #expect(tokenizer.decode([begin, 97, unknown], renderSpecial: false) == "a")
  }

  @Test func kindsDecideHowATokenIsShown() throws {
    var vocabulary = MadeUpVocabulary()
    vocabulary.add("<0x0A>", kind: 6)
    vocabulary.add("<0xZZ>", kind: 6)
    vocabulary.add("[PAD]", kind: 5)
    vocabulary.add("plain words 中", kind: 1)
    let tokenizer = try vocabulary.tokenizer()
    #expect(tokenizer.decode([256, 257, 258, 259]) == "\nplain words 中")
    #expect(tokenizer.text(of: 32) == "Ġ")
    for token in [-1, 260, Int32.min, Int32.max] {
      #expect(tokenizer.text(of: token) == nil)
      #expect(tokenizer.bytes(of: token, renderSpecial: true) == [])
    }
  }

  @Test func generationEndsAtNamedTokensAndAtKnownTexts() throws {
    var vocabulary = MadeUpVocabulary()
    for text in ["<eos-of-file>", "<turn-over>", "<|im_end|>", "<|end|>", "<|return|>"] {
      vocabulary.add(text, kind: text == "<|im_end|>" ? 1 : 3)
    }
    var metadata = vocabulary.metadata
    metadata["eos_token_id"] = .unsigned(256)
    metadata["eot_token_id"] = .unsigned(257)
    let tokenizer = try Tokenizer(metadata: metadata)
    #expect(tokenizer.endTokens == [256, 257, 258, 259, 260])
    // Some tools list all ends under one key.
    metadata["eot_token_id"] = nil
    metadata["eos_token_ids"] = .array(.signed([256, 257]))
    #expect(try Tokenizer(metadata: metadata).endTokens == tokenizer.endTokens)
    #expect(tokenizer.isEnd(258) && !tokenizer.isEnd(97))
    // Marked normal in the file, it is still a control token.
    #expect(tokenizer.encode("a<|im_end|>", parseSpecial: true) == [97, 258])
    #expect(tokenizer.bytes(of: 258, renderSpecial: false) == [])

    // With both, `<|end|>` is inside a turn.
    vocabulary.add("<|call|>", kind: 3)
    #expect(try vocabulary.tokenizer().endTokens == [258, 260, 261])
  }

  /// Splits as the rule says it: for each token, longest first, every piece of text that is left.
  private func naiveSplit(_ text: String, _ special: [(text: String, id: Int32)]) -> [Int32] {
    for (token, id) in special.sorted(by: { $0.text.utf8.count > $1.text.utf8.count }) {
      guard let range = text.firstRange(of: token) else { continue }
      let before = naiveSplit(String(text[..<range.lowerBound]), special)
      return before + [id] + naiveSplit(String(text[range.upperBound...]), special)
    }
    return text.utf8.map { Int32($0) }
  }

  @Test func overlappingTokensAreTakenLongestFirst() throws {
    for seed in UInt64(1)...200 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = MadeUpVocabulary()
      var special: [(text: String, id: Int32)] = []
      for length in 1...6 where Bool.random(using: &generator) {
        let text = String((0..<length).map { _ in "<|a>".randomElement(using: &generator)! })
        special.append((text, Int32(vocabulary.tokens.count)))
        vocabulary.add(text, kind: Bool.random(using: &generator) ? 3 : 4)
      }
      let tokenizer = try vocabulary.tokenizer()
      for _ in 0..<20 {
        let text = String((0..<30).map { _ in "<|a>".randomElement(using: &generator)! })
        #expect(
          tokenizer.encode(text, parseSpecial: true) == naiveSplit(text, special),
          "seed \(seed): \(text)")
      }
    }
  }

  @Test func aSpecialTokenThatCutsACharacterDoesNoHarm() throws {
    var packed = PackedStrings()
    for text in MadeUpVocabulary.alphabet { packed.append(Array(String(text).utf8)) }
    packed.append([0xE4, 0xB8] as [UInt8])
    packed.append([] as [UInt8])
    var metadata = MadeUpVocabulary().metadata
    metadata["tokens"] = .array(.strings(packed))
    metadata["token_type"] = .array(.signed(Array(repeating: 1, count: 256) + [4, 4]))
    for preTokenizer in PreTokenizerRegistry.names {
      metadata["pre"] = .string(preTokenizer)
      let tokenizer = try Tokenizer(metadata: metadata)
      #expect(tokenizer.encode("x中x") == [120, 256, 0xAD, 120])
      #expect(tokenizer.decode([120, 256, 0xAD, 120]) == "x中x")
    }
  }
}
