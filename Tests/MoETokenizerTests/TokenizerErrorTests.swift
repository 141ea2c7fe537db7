import MoECore
import MoETokenizer
import Testing

@Suite struct TokenizerErrorTests {
  private func error(_ key: String, _ value: MetadataValue?) throws -> TokenizerError {
    var vocabulary = MadeUpVocabulary()
    vocabulary.addMerge("a", "b")
    var metadata = vocabulary.metadata
    metadata[key] = value
    let error = try #require(throws: TokenizerError.self) { try Tokenizer(metadata: metadata) }
    #expect(error.source == "memory")
    #expect(error.description.contains("memory: tokenizer.ggml."))
    return error
  }

  @Test func unknownModelsAndPreTokenizersAreNamedWithWhatIsSupported() throws {
    let model = try error("model", .string("bert"))
    #expect(model.reason == .unsupported && model.description.contains("\"bert\""))
    #expect(model.wanted.contains("gpt2") && model.wanted.contains("llama"))
    let preTokenizer = try error("pre", .string("future"))
    #expect(preTokenizer.reason == .unsupported && preTokenizer.found == "\"future\"")
    for name in PreTokenizerRegistry.names { #expect(preTokenizer.wanted.contains(name)) }
  }

  @Test func withoutAPreTokenizerGPT2IsAssumedAndSaid() throws {
    var vocabulary = MadeUpVocabulary()
    #expect(try vocabulary.tokenizer().notes == [])
    vocabulary.preTokenizer = nil
    let tokenizer = try vocabulary.tokenizer()
    #expect(tokenizer.notes.count == 1)
    #expect(tokenizer.notes[0].contains("gpt-2") && tokenizer.notes[0].contains("memory"))
    vocabulary.preTokenizer = "default"
    #expect(try vocabulary.tokenizer().notes == tokenizer.notes)
  }

  @Test(arguments: ["model", "tokens", "merges"])
  func neededKeysAreMissed(key: String) throws {
    let error = try error(key, nil)
    #expect(error.reason == .missing && error.key == "tokenizer.ggml." + key)
  }

  @Test(arguments: [
    "model", "pre", "tokens", "merges", "token_type", "bos_token_id", "eos_token_id",
    "eot_token_id", "eom_token_id", "padding_token_id", "unknown_token_id", "add_bos_token",
    "add_eos_token",
  ])
  func valuesOfAnotherTypeAreRefused(key: String) throws {
    let error = try error(key, .array(.float([1])))
    #expect(error.reason == .wrongType && error.key == "tokenizer.ggml." + key)
    #expect(error.found == "numbers in an array of 1")
  }

  @Test(arguments: [
    "bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "padding_token_id",
    "unknown_token_id",
  ])
  func idsOutsideTheVocabularyAreNotedAndNotUsed(key: String) throws {
    let values: [(MetadataValue, String)] = [
      (.signed(-1), "which means none"), (.unsigned(UInt64(UInt32.max)), "which means none"),
      (.unsigned(257), "outside its vocabulary of 257 tokens"),
      (.signed(Int64.min), "outside its vocabulary of 257 tokens"),
    ]
    for (value, why) in values {
      var vocabulary = MadeUpVocabulary()
      vocabulary.addMerge("a", "b")
      let plain = try vocabulary.tokenizer()
      var metadata = vocabulary.metadata
      metadata[key] = value
      let tokenizer = try Tokenizer(metadata: metadata)
      #expect(tokenizer.encode("abc") == plain.encode("abc"))
      #expect(tokenizer.endTokens == [] && tokenizer.beginToken == nil)
      #expect(tokenizer.unknownToken == nil && tokenizer.paddingToken == nil)
      #expect(tokenizer.notes.count == 1)
      let note = try #require(tokenizer.notes.first)
      #expect(note.contains("tokenizer.ggml." + key) && note.contains(why))
    }
    #expect(try error(key, .unsigned(UInt64.max)).reason == .wrongType)
  }

  @Test func anIdOutsideTheVocabularyIsAnErrorWhereItIsNeeded() throws {
    for (flag, key) in [("add_bos_token", "bos_token_id"), ("add_eos_token", "eos_token_id")] {
      var metadata = MadeUpVocabulary().metadata
      metadata[flag] = .bool(true)
      metadata[key] = .unsigned(256)
      let outside = try #require(throws: TokenizerError.self) {
        try Tokenizer(metadata: metadata)
      }
      #expect(outside.reason == .outOfRange && outside.found == "256")
      #expect(outside.key == "tokenizer.ggml." + key)
      metadata[key] = .signed(-1)
      #expect(
        throws: TokenizerError.self, performing: { try Tokenizer(metadata: metadata) })
    }
  }

  @Test func kindsMustFitTheVocabulary() throws {
    let short = try error("token_type", .array(.signed([1, 1])))
    #expect(short.reason == .wrongCount && short.wanted.contains("257") && short.found == "2")
    for kind: Int64 in [7, -1, 256, Int64.max] {
      let kinds = Array(repeating: 1, count: 256) + [kind]
      let error = try error("token_type", .array(.signed(kinds)))
      #expect(error.reason == .malformed && error.found.contains("element 256"))
    }
    var metadata = MadeUpVocabulary().metadata
    metadata["token_type"] = nil
    #expect(try Tokenizer(metadata: metadata).encode("a") == [97])
  }

  @Test func anEmptyVocabularyIsRefused() throws {
    #expect(try error("tokens", .strings([])).reason == .wrongCount)
  }

  @Test(arguments: ["", "a", "ab", " ", "a ", " b", "a b c", "a z!", "zz b", "a c"])
  func mergesMustJoinTokensToAToken(merge: String) throws {
    let error = try error("merges", .strings(["a b", merge]))
    #expect(error.reason == .malformed && error.key == "tokenizer.ggml.merges")
    #expect(error.found.contains("\"\(merge)\" as element 1"))
  }

  @Test func aTokenThatIsAddedMustBeThere() throws {
    #expect(try error("add_bos_token", .bool(true)).key == "tokenizer.ggml.bos_token_id")
    #expect(try error("add_eos_token", .bool(true)).key == "tokenizer.ggml.eos_token_id")
  }

  /// A damaged file gives an error or a tokenizer that works, never a trap.
  @Test func damagedMetadataNeverTraps() throws {
    let values: [MetadataValue] = [
      .unsigned(0), .unsigned(300), .signed(-5), .float(.nan), .bool(true), .string("qwen2"),
      .string(""), .strings([]), .strings(["a", "a", "", "Ġ", "ab", "<|im_end|>"]),
      .strings(["a b", "a b"]), .array(.unsigned([3, 4])), .array(.signed([])),
      .array(.nested([.bool([true])])),
    ]
    let keys = [
      "model", "pre", "tokens", "token_type", "merges", "bos_token_id", "eos_token_id",
      "unknown_token_id", "add_bos_token", "add_eos_token",
    ]
    var madeCount = 0
    for seed in UInt64(1)...2000 {
      var generator = SeededGenerator(seed: seed)
      var vocabulary = MadeUpVocabulary()
      vocabulary.addRandomMerges(20, letters: "abc", using: &generator)
      vocabulary.add("<s>", kind: 4)
      var metadata = vocabulary.metadata
      for _ in 0..<2 {
        let key = keys.randomElement(using: &generator)!
        metadata[key] =
          Bool.random(using: &generator) ? nil : values.randomElement(using: &generator)!
      }
      guard let tokenizer = try? Tokenizer(metadata: metadata) else { continue }
      madeCount += 1
      let ids = tokenizer.encode("abcab <s> 中\n")
      #expect(ids.allSatisfy { tokenizer.text(of: $0) != nil }, "seed \(seed)")
    }
    #expect(madeCount > 0 && madeCount < 2000)
  }
}
