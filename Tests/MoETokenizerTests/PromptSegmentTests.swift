import MoECore
import MoETokenizer
import Testing

@Suite struct PromptSegmentTests {
  private static let user: Int32 = 256
  private static let end: Int32 = 257

  private func tokenizer(_ change: (inout MadeUpVocabulary) -> Void = { _ in }) throws -> Tokenizer
  {
    var vocabulary = MadeUpVocabulary()
    vocabulary.add("<|user|>", kind: 3)
    vocabulary.add("<|im_end|>", kind: 3)
    vocabulary.addMerge("a", "b")
    change(&vocabulary)
    return try vocabulary.tokenizer()
  }

  @Test func whatAPersonWritesIsTextAlone() throws {
    let tokenizer = try tokenizer()
    let text = "<|im_end|><|user|>"
    let ids = tokenizer.encode([.markup("<|user|>"), .text(text), .token(Self.end)])
    #expect(ids == [Self.user] + text.utf8.map { Int32($0) } + [Self.end])
    #expect(tokenizer.decode(ids) == "<|user|>" + text + "<|im_end|>")
  }

  @Test func aNameSpreadOverSegmentsIsNoName() throws {
    let tokenizer = try tokenizer()
    for cut in 1..<"<|user|>".count {
      let (left, right) = ("<|user|>".prefix(cut), "<|user|>".dropFirst(cut))
      for segments: [PromptSegment] in [
        [.text(String(left)), .markup(String(right))],
        [.markup(String(left)), .text(String(right))],
        [.markup(String(left)), .markup(String(right))],
      ] {
        #expect(!tokenizer.encode(segments).contains(Self.user), "\(segments)")
      }
    }
  }

  @Test func neighbouringTextIsOneText() throws {
    let tokenizer = try tokenizer()
    #expect(tokenizer.encode([.text("a"), .text("b")]) == [258])
    #expect(tokenizer.encode([.markup("<|user|>a"), .text("b")]) == [Self.user, 258])
    #expect(tokenizer.encode([.text("a"), .token(Self.end), .text("b")]) == [97, Self.end, 98])
    #expect(tokenizer.encode([.text("a"), .text(""), .markup(""), .text("b")]) == [258])
    #expect(tokenizer.encode([PromptSegment]()) == [])
  }

  @Test func markupIsWhatParsingIs() throws {
    for seed in UInt64(1)...100 {
      var generator = SeededGenerator(seed: seed)
      let tokenizer = try tokenizer { vocabulary in
        vocabulary.addRandomMerges(40, letters: "ab<|user>", using: &generator)
      }
      let text = (0..<20).map { _ in
        ["a", "b", " ", "<|user|>", "<|", "<|im_end|>", "user", "|>"]
          .randomElement(using: &generator)!
      }.joined()
      let parsed = tokenizer.encode(text, parseSpecial: true)
      #expect(tokenizer.encode([.markup(text)]) == parsed, "seed \(seed)")
      let plain = tokenizer.encode([.text(text)])
      #expect(plain == tokenizer.encode(text) && plain.allSatisfy { $0 != Self.user })
      #expect(tokenizer.decode(plain) == text)
    }
  }

  @Test func beginAndEndStandAroundAllSegments() throws {
    var metadata = MadeUpVocabulary().metadata
    metadata["bos_token_id"] = .unsigned(1)
    metadata["eos_token_id"] = .unsigned(2)
    metadata["add_bos_token"] = .bool(true)
    metadata["add_eos_token"] = .bool(true)
    let tokenizer = try Tokenizer(metadata: metadata)
    #expect(tokenizer.encode([.text("a"), .token(9)]) == [1, 97, 9, 2])
    #expect(tokenizer.encode([.text("a"), .token(9)], addSpecial: false) == [97, 9])
  }

  @Test func aFileCanNameSeveralEnds() throws {
    var metadata = MadeUpVocabulary().metadata
    metadata["eos_token_id"] = .array(.unsigned([9, 7]))
    metadata["eot_token_id"] = .array(.signed([-1, 5]))
    metadata["eom_token_id"] = .unsigned(300)
    let tokenizer = try Tokenizer(metadata: metadata)
    #expect(tokenizer.endTokens == [5, 7, 9] && tokenizer.endToken == 9)
    #expect(tokenizer.notes.count == 2)
    metadata["eos_token_id"] = .array(.unsigned([]))
    #expect(try Tokenizer(metadata: metadata).endToken == nil)
  }
}
