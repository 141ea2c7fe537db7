import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import MoETokenizer
import Testing

/// Token ids from libllama and the `tokenizers` library.
@Suite struct GoldenTokenTests {
  private struct Case: Decodable {
    let text: String
    let ids: [Int32]
  }

  private struct VocabularyCases: Decodable {
    let idsSpecialParsed: [[Int32]]
    let idsPlain: [[Int32]]
    let idsPlainSecond: [[Int32]]?
  }

  private struct Comparison: Decodable {
    let textsWhereTheSecondDiffers: [Int]?
  }

  private func decode<Value: Decodable>(_ path: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Value.self, from: Data(contentsOf: Goldens.require(path)))
  }

  @Test(arguments: [
    ("gpt2", "olmoe"), ("qwen2", "qwen3moe"), ("glm4", "glm4moe"), ("qwen35", "qwen35moe"),
    ("deepseek-v3", "deepseek3-plain"),
  ])
  func smallTokenizersGiveTheReferenceIds(kind: String, model: String) throws {
    let cases: [Case] = try decode("tokenizer/\(kind)/cases.json")
    let tokenizers = [
      try ReferenceTokenizer.published("tokenizer/\(kind)"),
      try ReferenceTokenizer.gguf("models/\(model)/model-f32.gguf"),
    ]
    #expect(cases.count > 60)
    for tokenizer in tokenizers {
      for item in cases {
        let ids = tokenizer.encode(item.text, addSpecial: false, parseSpecial: true)
        #expect(ids == item.ids, "\(item.text.debugDescription)")
        #expect(tokenizer.decode(ids) == item.text)
      }
    }
  }

  @Test(arguments: [("mixtral", "spm"), ("phimoe", "spm"), ("gemma4", "gemma4")])
  func smallPieceTokenizersGiveTheReferenceIds(model: String, kind: String) throws {
    let cases: [Case] = try decode("tokenizer/\(kind)/cases.json")
    let tokenizer = try ReferenceTokenizer.gguf("models/\(model)/model-f32.gguf")
    #expect(cases.count > 60)
    for item in cases {
      let ids = tokenizer.encode(
        item.text, addSpecial: false, parseSpecial: kind == "gemma4")
      #expect(ids == item.ids, "\(item.text.debugDescription)")
      #expect(tokenizer.decode(ids) == item.text.replacing("▁", with: " "))
    }
  }

  /// Some files call Gemma 4's tokenizer SentencePiece; its pre-tokenizer tells.
  @Test func aPreTokenizerTellsTheModel() throws {
    struct Renamed: MetadataSource {
      let file: GGUFFile
      var sourceName: String { file.sourceName }

      func value(forKey key: String) -> MetadataValue? {
        switch key {
        case "tokenizer.ggml.model": .string("llama")
        case "tokenizer.ggml.pre": .string("gemma4")
        default: file.value(forKey: key)
        }
      }
    }
    let cases: [Case] = try decode("tokenizer/gemma4/cases.json")
    let file = try GGUFFile(path: Goldens.require("models/gemma4/model-f32.gguf").path)
    let tokenizer = try Tokenizer(metadata: Renamed(file: file))
    for item in cases {
      let ids = tokenizer.encode(item.text, addSpecial: false, parseSpecial: true)
      #expect(ids == item.ids, "\(item.text.debugDescription)")
    }
  }

  /// Tokenizers whose text can't be had back: it is normalised, and words are unknown.
  @Test(arguments: ["gemma4", "t5", "nllb"])
  func publishedPieceTokenizersGiveTheReferenceIds(kind: String) throws {
    let cases: [Case] = try decode("tokenizer/\(kind)/cases.json")
    let tokenizer = try ReferenceTokenizer.published("tokenizer/\(kind)")
    #expect(cases.count > 60)
    for item in cases {
      let ids = tokenizer.encode(item.text, addSpecial: false, parseSpecial: true)
      #expect(ids == item.ids, "\(item.text.debugDescription)")
    }
  }

  private func vocabulary(_ family: String) throws -> Tokenizer {
    let file = "tokenizers/ggml-vocab-\(family).gguf"
    return family == "gemma-4"
      ? try ReferenceTokenizer.compressedGGUF(file + ".gz") : try ReferenceTokenizer.gguf(file)
  }

  private static let families = [
    "gpt-2", "qwen2", "qwen35", "deepseek-coder", "llama-spm", "phi-3", "gemma-4",
  ]

  @Test(arguments: families)
  func publishedVocabulariesGiveTheReferenceIds(family: String) throws {
    let texts: [String] = try decode("tokenizers/texts.json")
    let cases: VocabularyCases = try decode("tokenizers/\(family).cases.json")
    let comparisons: [String: Comparison] = try decode("tokenizers/index.json")
    let differing = Set(comparisons[family]?.textsWhereTheSecondDiffers ?? [])
    #expect((cases.idsPlainSecond == nil) == (family == "deepseek-coder"))
    let tokenizer = try vocabulary(family)
    #expect(texts.count == cases.idsPlain.count && texts.count > 60)
    for (index, text) in texts.enumerated() {
      let parsed = tokenizer.encode(text, addSpecial: false, parseSpecial: true)
      let plain = tokenizer.encode(text, addSpecial: false)
      #expect(parsed == cases.idsSpecialParsed[index], "\(text.debugDescription)")
      #expect(plain == cases.idsPlain[index], "\(text.debugDescription)")
      if !differing.contains(index), let second = cases.idsPlainSecond {
        #expect(plain == second[index], "\(text.debugDescription)")
      }
      // A mark that stands for spaces can't be told from one, and Phi-3's tokens swallow space.
      let isPieces = ["llama-spm", "phi-3", "gemma-4"].contains(family)
      let text = isPieces ? text.replacing("▁", with: " ") : text
      #expect(tokenizer.decode(plain).utf8.elementsEqual(text.utf8))
      if family != "phi-3" { #expect(tokenizer.decode(parsed).utf8.elementsEqual(text.utf8)) }
    }
  }

  @Test(arguments: families)
  func publishedVectorsAreReproduced(family: String) throws {
    let file = "tokenizers/ggml-vocab-\(family).gguf"
    let texts = try String(contentsOf: Goldens.require("\(file).inp"), encoding: .utf8)
      .components(separatedBy: "\n__ggml_vocab_test__\n")
    let lines = try String(contentsOf: Goldens.require("\(file).out"), encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    let tokenizer = try vocabulary(family)
    #expect(texts.count > 40)
    for (text, line) in zip(texts, lines) {
      let wanted = line.split(separator: " ").compactMap { Int32($0) }
      #expect(
        tokenizer.encode(text, addSpecial: false) == wanted,
        "\(text.debugDescription)")
    }
  }

  /// The training pipeline encoded each document by itself and put the end token, 0, after it.
  @Test(arguments: [
    "c", "chat", "docs", "english", "german", "maths", "python", "stories", "swift",
  ])
  func aTrainedModelsTestTokensAreReproduced(domain: String) throws {
    let tokenizer = try ReferenceTokenizer.gguf("../models/nano-moe/model-q8_0.gguf")
    let data = try Data(
      contentsOf: Goldens.require("../models/nano-moe/golden_tokens/\(domain).u16"))
    let wanted = stride(from: 0, to: data.count - 1, by: 2).map { index in
      Int32(data[index]) | Int32(data[index + 1]) << 8
    }
    let text = try String(
      contentsOf: Goldens.require("../corpus/\(domain).test.txt"), encoding: .utf8)
    var ids: [Int32] = []
    for document in text.components(separatedBy: "\n<|endoftext|>\n") {
      ids += tokenizer.encode(document, parseSpecial: true) + [0]
      if ids.count >= wanted.count { break }
    }
    #expect(wanted.count == 4096)
    #expect(Array(ids.prefix(wanted.count)) == wanted)
  }

  @Test func aLargeVocabularyTakesAFewMegabytes() throws {
    let tokenizer = try ReferenceTokenizer.gguf("tokenizers/ggml-vocab-qwen2.gguf")
    let textByteCount = (0..<Int32(tokenizer.vocabularySize)).reduce(0) {
      $0 + (tokenizer.text(of: $1)?.utf8.count ?? 0)
    }
    #expect(tokenizer.byteCount > textByteCount && tokenizer.byteCount < 6 * textByteCount)
  }

  @Test func vocabulariesSayWhereGenerationEnds() throws {
    let qwen = try ReferenceTokenizer.gguf("tokenizers/ggml-vocab-qwen2.gguf")
    #expect(qwen.vocabularySize == 151_936)
    #expect(qwen.endTokens == [128_247, 151_643, 151_645])
    #expect(qwen.text(of: 128_247) == "</s>")
    #expect(qwen.text(of: 151_645) == "<|im_end|>")
    let glm = try ReferenceTokenizer.gguf("models/glm4moe/model-f32.gguf")
    #expect(glm.endTokens == [1, 3, 5])
    #expect(glm.beginToken == 0 && glm.addsBeginToken == false)
  }
}
