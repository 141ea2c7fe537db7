import MoECore
import MoETokenizer
import Testing

@Suite struct SentencePieceTests {
  private func bytes(_ text: String) -> [Int32] {
    text.utf8.map { PieceVocabulary.firstByte + Int32($0) }
  }

  @Test func randomTextsGiveWhatTheNaiveEncoderGives() throws {
    // With and without pieces that have spaces inside, which forbid cutting text at spaces.
    for seed in UInt64(1)...120 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = PieceVocabulary()
      vocabulary.addRandomPieces(120, letters: "▁aabcé中🙂", using: &generator)
      if seed.isMultiple(of: 2) {
        for index in vocabulary.tokens.indices
        where vocabulary.tokens[index].drop(while: { $0 == "▁" }).contains("▁") {
          vocabulary.kinds[index] = 5
        }
      }
      let tokenizer = try vocabulary.tokenizer()
      for length in 0..<30 {
        let text = String(
          (0..<length).map { _ in "  aaabbcdéé中🙂\n▁".randomElement(using: &generator)! })
        let ids = tokenizer.encode(text, addSpecial: false)
        #expect(ids == vocabulary.naiveEncode(text), "seed \(seed): \(text.debugDescription)")
        if !text.contains("▁") { #expect(tokenizer.decode(ids) == text, "seed \(seed)") }
      }
    }
  }

  @Test func theHighestScoreJoinsFirstAndTheLeftmostOfEqualOnes() throws {
    var vocabulary = PieceVocabulary()
    let space = vocabulary.add("▁", score: -9)
    let a = vocabulary.add("a", score: -9)
    let pair = vocabulary.add("aa", score: -2)
    #expect(try vocabulary.tokenizer().encode("aaa", addSpecial: false) == [space, pair, a])
    let first = vocabulary.add("▁a", score: -1)
    #expect(try vocabulary.tokenizer().encode("aaa", addSpecial: false) == [first, pair])
  }

  @Test func aPieceIsFoundThoughItsCharactersAreNone() throws {
    var vocabulary = PieceVocabulary()
    let piece = vocabulary.add("▁ab", score: -1)
    vocabulary.add("ab", score: -2)
    #expect(try vocabulary.tokenizer().encode("ab", addSpecial: false) == [piece])
  }

  @Test func whatIsNoPieceIsBytesOrOneUnknownToken() throws {
    var vocabulary = PieceVocabulary()
    let space = vocabulary.add("▁", score: -1)
    let a = vocabulary.add("a", score: -1)
    let tokenizer = try vocabulary.tokenizer()
    #expect(tokenizer.encode("aé\n", addSpecial: false) == [space, a] + bytes("é\n"))
    #expect(tokenizer.decode([space, a] + bytes("é\n")) == "aé\n")

    vocabulary = PieceVocabulary(hasBytes: false)
    vocabulary.add("▁", score: -1)
    vocabulary.add("a", score: -1)
    let ids = try vocabulary.tokenizer().encode("aé中a\n", addSpecial: false)
    #expect(ids == [3, 4, PieceVocabulary.unknown, 4, PieceVocabulary.unknown])
    vocabulary.kinds[0] = 5
    #expect(try vocabulary.tokenizer().encode("aé中a\n", addSpecial: false) == [3, 4, 4])
  }

  @Test func textNeverBecomesAControlToken() throws {
    var vocabulary = PieceVocabulary()
    for character in "▁<>/s0xA" { vocabulary.add(String(character), score: -9) }
    for text in ["</", "s>", "<s", "<0", "x0", "A>", "<0x0", "x0A"] {
      vocabulary.add(text, score: -2)
    }
    let tokenizer = try vocabulary.tokenizer()
    for text in ["</s>", "<s>", "<unk>", "<0x0A>", "a</s>b<s>"] {
      let ids = tokenizer.encode(text, addSpecial: false)
      let control = [PieceVocabulary.unknown, PieceVocabulary.begin, PieceVocabulary.end]
      #expect(!ids.contains { control.contains($0) }, "\(text)")
      #expect(tokenizer.decode(ids, renderSpecial: false) == text)
    }
    let newline = PieceVocabulary.firstByte + 10
    #expect(!tokenizer.encode("<0x0A>", addSpecial: false).contains(newline))
  }

  @Test func filesSayWhatIsAdded() throws {
    var vocabulary = PieceVocabulary()
    let space = vocabulary.add("▁", score: -1)
    let a = vocabulary.add("a", score: -1)
    var metadata = vocabulary.metadata
    let (begin, end) = (PieceVocabulary.begin, PieceVocabulary.end)
    // What every such model does, where its file does not say.
    let plain = try Tokenizer(metadata: metadata)
    #expect(plain.beginToken == begin && plain.endToken == end && plain.endTokens == [end])
    #expect(plain.encode("a") == [begin, space, a] && plain.encode("") == [begin])
    #expect(plain.decode([begin, space, a], renderSpecial: false) == "a")

    metadata["add_space_prefix"] = .bool(false)
    metadata["add_bos_token"] = .bool(false)
    metadata["add_eos_token"] = .bool(true)
    let bare = try Tokenizer(metadata: metadata)
    #expect(bare.encode("a a") == [a, space, a, end])
    #expect(bare.decode([space, a]) == " a")

    metadata["remove_extra_whitespaces"] = .bool(true)
    metadata["add_space_prefix"] = .bool(true)
    let tidy = try Tokenizer(metadata: metadata)
    #expect(tidy.encode("  a   a ", addSpecial: false) == [space, a, space, a])
    #expect(tidy.encode("   ", addSpecial: false) == [])
  }

  @Test func runsOfTextBetweenSpecialTokensHaveASpaceBeforeThem() throws {
    var vocabulary = PieceVocabulary()
    let space = vocabulary.add("▁", score: -1)
    let a = vocabulary.add("a", score: -1)
    let tag = vocabulary.add("<tag>", score: 0, kind: 4)
    let tokenizer = try vocabulary.tokenizer()
    let ids = tokenizer.encode("a</s>a<tag> a", addSpecial: false, parseSpecial: true)
    #expect(ids == [space, a, PieceVocabulary.end, space, a, tag, space, space, a])
    #expect(tokenizer.decode(ids) == "a</s>a<tag> a")
  }

  @Test func aContinuedTextKeepsItsFirstSpace() throws {
    var vocabulary = PieceVocabulary()
    let word = vocabulary.add("▁a", score: -1)
    let tokenizer = try vocabulary.tokenizer()
    var start = Detokenizer(tokenizer: tokenizer)
    #expect([start.push(word), start.push(word), start.finish()] == ["a", " a", ""])
    var rest = Detokenizer(tokenizer: tokenizer, continuesText: true)
    #expect(rest.push(word) == " a")
    #expect(tokenizer.bytes(of: word, renderSpecial: false) == Array(" a".utf8))
  }

  @Test func randomTokensStreamToWhatDecodingThemAtOnceGives() throws {
    var generator = SeededGenerator(seed: 5)
    var vocabulary = PieceVocabulary()
    vocabulary.addRandomPieces(60, letters: "▁ab中", using: &generator)
    vocabulary.add("<tag>", score: 0, kind: 4)
    vocabulary.add("unused", score: 0, kind: 5)
    let tokenizer = try vocabulary.tokenizer()
    for seed in UInt64(1)...300 {
      var generator = SeededGenerator(seed: seed)
      let tokens = (0..<30).map { _ in
        Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &generator)
      }
      for renderSpecial in [false, true] {
        var detokenizer = Detokenizer(tokenizer: tokenizer, renderSpecial: renderSpecial)
        let text = tokens.map { detokenizer.push($0) }.joined() + detokenizer.finish()
        #expect(text == tokenizer.decode(tokens, renderSpecial: renderSpecial), "seed \(seed)")
      }
    }
  }

  @Test func phi3sSpecialTokensSwallowWhiteSpace() throws {
    var vocabulary = PieceVocabulary()
    let space = vocabulary.add("▁", score: -1)
    let a = vocabulary.add("a", score: -1)
    let user = vocabulary.add("<|user|>", score: 0, kind: 3)
    var metadata = vocabulary.metadata
    metadata.values["general.name"] = .string("Phi3 mini")
    let tokenizer = try Tokenizer(metadata: metadata)
    let ids = tokenizer.encode("<|user|> \n a<s>\n", addSpecial: false, parseSpecial: true)
    #expect(ids == [user, space, a, PieceVocabulary.begin, space] + bytes("\n"))
  }

  /// Quadratic joining would need hours for these.
  @Test(arguments: ["a", " ", "\n", "中", "a ", "▁", "ab"], [true, false])
  func aMegabyteIsEncodedInOneGo(unit: String, canBeCut: Bool) throws {
    var vocabulary = PieceVocabulary()
    for text in ["a", "▁", "aa", "▁▁", "aaaa", "aaaaaaaa"] {
      vocabulary.add(text, score: -1 / Float(text.count))
    }
    if !canBeCut { vocabulary.add("a▁", score: -5) }
    let tokenizer = try vocabulary.tokenizer()
    let text = String(repeating: unit, count: (1 << 20) / unit.utf8.count)
    let ids = tokenizer.encode(text, addSpecial: false)
    let decoded = tokenizer.decode(ids)
    #expect(decoded.utf8.elementsEqual(text.replacing("▁", with: " ").utf8))
    if unit == "a" { #expect(ids.count == 1 + (1 << 20) / 8) }
  }
}
