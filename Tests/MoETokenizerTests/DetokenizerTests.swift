import MoECore
import MoETokenizer
import Testing

@Suite struct DetokenizerTests {
  /// Tokens that are single bytes split every character wherever it can be split.
  private func stream(_ bytes: [UInt8], _ tokenizer: Tokenizer) -> [String] {
    var detokenizer = Detokenizer(tokenizer: tokenizer)
    return bytes.map { detokenizer.push(Int32($0)) } + [detokenizer.finish()]
  }

  @Test func charactersAppearWhenTheirLastByteIsThere() throws {
    let tokenizer = try MadeUpVocabulary().tokenizer()
    #expect(stream(Array("aé".utf8), tokenizer) == ["a", "", "é", ""])
    #expect(stream(Array("中".utf8), tokenizer) == ["", "", "中", ""])
    #expect(stream(Array("🙂".utf8), tokenizer) == ["", "", "", "🙂", ""])
  }

  @Test func bytesThatCannotBecomeACharacterAreReplacedAtOnce() throws {
    let tokenizer = try MadeUpVocabulary().tokenizer()
    #expect(stream([0xFF, 0x61], tokenizer) == ["\u{FFFD}", "a", ""])
    #expect(stream([0x80], tokenizer) == ["\u{FFFD}", ""])
    #expect(stream([0xE2, 0x82, 0x61], tokenizer) == ["", "", "\u{FFFD}a", ""])
    #expect(stream([0xE2, 0x82], tokenizer) == ["", "", "\u{FFFD}"])
    // No surrogates, nothing above U+10FFFF, nothing overlong.
    for bytes: [UInt8] in [[0xED, 0xA0], [0xF4, 0x90], [0xE0, 0x80], [0xF0, 0x80]] {
      #expect(stream(bytes, tokenizer) == ["", "\u{FFFD}\u{FFFD}", ""])
    }
    #expect(stream([0xC0, 0xC1, 0xF5], tokenizer) == ["\u{FFFD}", "\u{FFFD}", "\u{FFFD}", ""])
  }

  @Test func everyScalarSurvivesEverySplit() throws {
    let tokenizer = try MadeUpVocabulary().tokenizer()
    var detokenizer = Detokenizer(tokenizer: tokenizer)
    for value in stride(from: UInt32(0), through: 0x10FFFF, by: 23) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let bytes = Array(String(scalar).utf8)
      let pieces = bytes.map { detokenizer.push(Int32($0)) }
      #expect(pieces.dropLast().allSatisfy(\.isEmpty) && pieces.last == String(scalar))
      #expect(detokenizer.finish() == "")
    }
  }

  @Test func randomBytesGiveWhatDecodingThemAtOnceGives() throws {
    // Single bytes, and tokens that end within a character.
    var vocabulary = MadeUpVocabulary()
    var generator = SeededGenerator(seed: 11)
    vocabulary.addRandomMerges(200, letters: "aé中🙂", using: &generator)
    vocabulary.add("<|im_end|>", kind: 3)
    let tokenizer = try vocabulary.tokenizer()
    let interesting: [Int32] = [
      0x61, 0xC3, 0xA9, 0xE0, 0xE4, 0xED, 0xF0, 0xF4, 0x80, 0x9F, 0xB8, 0xFF,
    ]
    for seed in UInt64(1)...300 {
      var generator = SeededGenerator(seed: seed)
      let tokens = (0..<40).map { _ in
        Bool.random(using: &generator)
          ? interesting.randomElement(using: &generator)!
          : Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &generator)
      }
      for renderSpecial in [false, true] {
        var detokenizer = Detokenizer(tokenizer: tokenizer, renderSpecial: renderSpecial)
        let text = tokens.map { detokenizer.push($0) }.joined() + detokenizer.finish()
        let whole = tokenizer.decode(tokens, renderSpecial: renderSpecial)
        #expect(text.utf8.elementsEqual(whole.utf8), "seed \(seed)")
      }
    }
  }
}
