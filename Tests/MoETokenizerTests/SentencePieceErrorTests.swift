import MoECore
import MoETokenizer
import Testing

@Suite struct SentencePieceErrorTests {
  private func error(_ key: String, _ value: MetadataValue?) throws -> TokenizerError {
    var metadata = PieceVocabulary().metadata
    metadata[key] = value
    let error = try #require(throws: TokenizerError.self) { try Tokenizer(metadata: metadata) }
    #expect(error.key == "tokenizer.ggml." + key)
    return error
  }

  @Test func scoresMustBeThereAndFit() throws {
    #expect(try error("scores", nil).reason == .missing)
    #expect(try error("scores", .strings(["a"])).reason == .wrongType)
    #expect(try error("scores", .array(.float([1, 2]))).reason == .wrongCount)
    for bad in [Float.nan, .infinity] {
      let scores = Array(repeating: Float(0), count: 258) + [bad]
      let error = try error("scores", .array(.float(scores)))
      #expect(error.reason == .malformed && error.found.contains("element 258"))
    }
  }

  @Test(arguments: ["add_space_prefix", "remove_extra_whitespaces"])
  func flagsMustBeFlags(key: String) throws {
    #expect(try error(key, .string("yes")).reason == .wrongType)
  }

  @Test func namesFromTheFileAreQuoted() throws {
    let error = try error("model", .string("a\u{1B}[31m\n"))
    #expect(error.found == #""a\u{1b}[31m\u{a}""#)
  }

  /// A damaged file gives an error or a tokenizer that works, never a trap.
  @Test func damagedMetadataNeverTraps() throws {
    let values: [MetadataValue] = [
      .unsigned(0), .signed(-5), .float(.nan), .bool(true), .string("gpt2"), .strings([]),
      .strings(["a", "a", "", "▁", "<0x41>", "</s>"]), .array(.signed([])),
      .array(.float([0, -1, -1, 3, 2, 1])), .array(.signed([1, 3, 4, 6, 6, 2])),
      .array(.nested([.bool([true])])),
    ]
    let keys = [
      "model", "tokens", "token_type", "scores", "bos_token_id", "unknown_token_id",
      "add_bos_token", "add_space_prefix", "remove_extra_whitespaces",
    ]
    var madeCount = 0
    for seed in UInt64(1)...2000 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = PieceVocabulary(hasBytes: Bool.random(using: &generator))
      vocabulary.addRandomPieces(20, letters: "▁abc", using: &generator)
      var metadata = vocabulary.metadata
      for _ in 0..<3 {
        let key = keys.randomElement(using: &generator)!
        metadata[key] =
          Bool.random(using: &generator) ? nil : values.randomElement(using: &generator)!
      }
      guard let tokenizer = try? Tokenizer(metadata: metadata) else { continue }
      madeCount += 1
      let ids = tokenizer.encode("abcab <s>  中\n", parseSpecial: true)
      #expect(ids.allSatisfy { tokenizer.text(of: $0) != nil }, "seed \(seed)")
    }
    #expect(madeCount > 0 && madeCount < 2000)
  }
}
