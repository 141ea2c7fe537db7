import MoECore
import MoETokenizer
import Testing

@Suite struct EncodingTests {
  /// Pieces that the expressions treat in different ways, and what joins them.
  private static let pieces = [
    "a", "ab", "bca", "B", "Ab", "é", "e\u{301}", "ſ", "ß", "中文", "日本", "안녕", "ท", "𝓗", "1", "12",
    "1234", "٣", "Ⅷ", "²", "½", "𝟘", " ", "  ", "    ", "\t", "\n", "\r\n", "\r", "\n\n", "\u{85}",
    "\u{A0}", "\u{2003}", "\u{3000}", "\u{200B}", "\u{FEFF}", "\u{0}", "\u{1C}", "'", "''", "'s",
    "'S", "'re", "'LL", "'v", "’s", ".", "...", "_", "-", "<|", "|>", "$", "©", "👍🏽", "👩‍👩‍👧",
    "🇩🇪", "\u{301}", "\u{E000}", "\u{10FFFF}", "\u{378}",
  ]

  private func randomText(pieceCount: Int, using generator: inout SeededGenerator) -> String {
    var text = ""
    for _ in 0..<pieceCount {
      if Int.random(in: 0..<8, using: &generator) == 0 {
        let value = UInt32.random(in: 0...0x10FFFF, using: &generator)
        if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
      } else {
        text += Self.pieces.randomElement(using: &generator)!
      }
    }
    return text
  }

  @Test(arguments: NaiveTokenizer.preTokenizers)
  func randomTextsGiveWhatRegularExpressionsAndNaiveMergesGive(preTokenizer: String) throws {
    for seed in UInt64(1)...20 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = MadeUpVocabulary()
      vocabulary.preTokenizer = preTokenizer
      vocabulary.addRandomMerges(150, letters: "aabbc 12.'\n\u{E4}", using: &generator)
      let tokenizer = try vocabulary.tokenizer()
      let naive = try NaiveTokenizer(vocabulary)
      for length in 0..<40 {
        let text = randomText(pieceCount: length, using: &generator)
        let ids = tokenizer.encode(text)
        #expect(ids == naive.encode(text), "seed \(seed): \(text.debugDescription)")
        #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8), "seed \(seed)")
      }
    }
  }

  @Test(arguments: NaiveTokenizer.preTokenizers)
  func longWordsMergeLikeTheNaiveOnes(preTokenizer: String) throws {
    for seed in UInt64(1)...10 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = MadeUpVocabulary()
      vocabulary.preTokenizer = preTokenizer
      vocabulary.addRandomMerges(60, letters: "abc", using: &generator)
      let text = String((0..<300).map { _ in "abc".randomElement(using: &generator)! })
      let naive = try NaiveTokenizer(vocabulary)
      #expect(try vocabulary.tokenizer().encode(text) == naive.encode(text), "seed \(seed)")
    }
  }

  /// Quadratic merging would need hours for these.
  @Test(
    arguments: ["qwen2", "gpt-4o", "deepseek-coder", "deepseek-v3", "exaone-moe", "afmoe"],
    ["a", " ", "\n", "1", ".", "中", "a1", "a中", "A", "A\u{301}", "'", "a "])
  func aMegabyteWithoutABreakIsMergedInOneGo(preTokenizer: String, unit: String) throws {
    var vocabulary = MadeUpVocabulary()
    vocabulary.preTokenizer = preTokenizer
    var joined = "a"
    for _ in 0..<6 {
      vocabulary.addMerge(joined, joined)
      joined += joined
    }
    let tokenizer = try vocabulary.tokenizer()
    let text = String(repeating: unit, count: (1 << 20) / unit.utf8.count)
    let ids = tokenizer.encode(text)
    #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8))
    if unit == "a" { #expect(ids == Array(repeating: 256 + 5, count: (1 << 20) / 64)) }
  }

  @Test func bytesThatAreNotUTF8BecomeReplacementCharacters() throws {
    let tokenizer = try MadeUpVocabulary().tokenizer()
    let ids = tokenizer.encode(bytes: [0x61, 0xFF, 0x62, 0xE2, 0x82])
    #expect(tokenizer.decode(ids) == "a\u{FFFD}b\u{FFFD}")
  }

  @Test func aliasesMeanTheSame() throws {
    for entry in PreTokenizerRegistry.all {
      for alias in entry.aliases {
        var vocabulary = MadeUpVocabulary()
        vocabulary.addMerge("a", "b")
        vocabulary.preTokenizer = alias
        let tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.notes == [] && tokenizer.encode("ab 12") == [256, 32, 49, 50])
      }
    }
    let names = PreTokenizerRegistry.names
    #expect(Set(names).count == names.count)
  }

  /// Files of some families name another pre-tokenizer, or none, and mean their own.
  @Test func aFamilyKnowsItsPreTokenizer() throws {
    let text = "AnotherWord 12345 it's"
    var count = 0
    for entry in PreTokenizerRegistry.all {
      for family in entry.families {
        for name in [nil, "default", "gpt-2"] as [String?] {
          var vocabulary = MadeUpVocabulary()
          for pair in [("A", "n"), ("r", "W"), ("3", "4"), ("Ġ", "1"), ("t", "'")] {
            vocabulary.addMerge(pair.0, pair.1)
          }
          vocabulary.preTokenizer = entry.name
          let wanted = try vocabulary.tokenizer().encode(text)
          vocabulary.preTokenizer = name
          #expect(try vocabulary.tokenizer().encode(text) != wanted)
          var metadata = vocabulary.metadata
          metadata.values["general.architecture"] = .string(family)
          let tokenizer = try Tokenizer(metadata: metadata)
          #expect(tokenizer.encode(text) == wanted && tokenizer.notes == [])
          count += 1
        }
      }
    }
    #expect(count >= 6)
  }

  @Test func llama3TakesWordsThatAreTokensWithoutMerges() throws {
    var vocabulary = MadeUpVocabulary()
    vocabulary.addMerge("a", "b")
    vocabulary.add("Ġcab", kind: 1)
    vocabulary.add("dab", kind: 3)
    for (name, wanted) in [("llama-bpe", [257]), ("dbrx", [32, 99, 256])] as [(String, [Int32])] {
      vocabulary.preTokenizer = name
      let tokenizer = try vocabulary.tokenizer()
      #expect(tokenizer.encode(" cab") == wanted)
      #expect(tokenizer.encode("dab") == [100, 256], "a control token is no word")
    }
    var metadata = vocabulary.metadata
    metadata["bos_token_id"] = .unsigned(258)
    #expect(try Tokenizer(metadata: metadata).encode("a") == [97])
    metadata["pre"] = .string("llama-bpe")
    #expect(try Tokenizer(metadata: metadata).encode("a") == [258, 97])
    metadata["add_bos_token"] = .bool(false)
    #expect(try Tokenizer(metadata: metadata).encode("a") == [97])
  }

  @Test func emptyTextHasNoTokens() throws {
    #expect(try MadeUpVocabulary().tokenizer().encode("") == [])
  }

  @Test func bytesThatTheVocabularyLacksAreLeftOutOrUnknown() throws {
    var vocabulary = MadeUpVocabulary()
    vocabulary.tokens[Int(UInt8(ascii: "b"))] = "gone"
    vocabulary.add("<unk>", kind: 2)
    vocabulary.addMerge("a", "c")
    #expect(try vocabulary.tokenizer().encode("abcac") == [97, 99, 257])
    var metadata = vocabulary.metadata
    metadata["unknown_token_id"] = .unsigned(256)
    #expect(try Tokenizer(metadata: metadata).encode("abcac") == [97, 256, 99, 257])
  }

  @Test func ofTokensWithTheSameTextTheFirstIsEncoded() throws {
    var vocabulary = MadeUpVocabulary()
    vocabulary.addMerge("a", "b")
    vocabulary.add("ab", kind: 1)
    vocabulary.merges.append(("a", "b"))
    let tokenizer = try vocabulary.tokenizer()
    #expect(tokenizer.encode("ab") == [256])
    #expect(tokenizer.decode([256, 257]) == "abab")
  }
}
