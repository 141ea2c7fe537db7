import Foundation
import MoECore
import MoERuntime
import MoESynthetic
import MoETestSupport
import MoETokenizer
import Testing

/// Models opened from the folders that they are published in, held to the same references as their
/// GGUF files.
@Suite struct PublishedFolderTests {
  private func golden(_ name: String) throws -> GoldenModel {
    try #require(GoldenModel.all.first { $0.name == "\(name) f32" })
  }

  private func check(_ path: String, against model: GoldenModel) async throws {
    let engine = try await Engine(modelAt: path, options: GoldenModel.exactOptions)
    for sequence in model.sequences {
      let tokens = try model.tokens(sequence)
      let run = try await model.run(tokens, on: engine)
      let logits = try model.golden.floats("seq\(sequence).logits")
      #expect(Difference(logits, run.logits).maximum <= model.bounds.logits * 3)
      for (layer, choices) in run.choices {
        let experts = try model.golden.integers("seq\(sequence).router.\(layer).experts")
        #expect(choices.flatMap { $0.map { Int32($0.expert) } } == experts, "layer \(layer)")
      }
    }
  }

  @Test(arguments: ["olmoe", "qwen3moe"])
  func publishedFoldersGiveTheReferences(_ name: String) async throws {
    let folder = try Goldens.require("models/\(name)/hf/config.json").deletingLastPathComponent()
    let model = try golden(name)
    try await check(folder.path, against: model)
    // Any file of it stands for the folder.
    try await check(folder.appending(path: "model.safetensors").path, against: model)
  }

  @Test(arguments: ["olmoe", "qwen3moe", "mixtral", "qwen2moe"], [1, 3])
  func rewrittenFoldersGiveTheReferences(_ name: String, fileCount: Int) async throws {
    let folder = try PublishedFolder(name, fileCount: fileCount)
    try await check(folder.path, against: golden(name))
    withExtendedLifetime(folder) {}
  }

  /// Experts are read in place from the folder's files, whatever the pool holds.
  @Test(arguments: ["olmoe", "mixtral"])
  func offloadedExpertsGiveTheBitsOfResidentOnes(_ name: String) async throws {
    let folder = try PublishedFolder(name, fileCount: 2)
    let model = try golden(name)
    let tokens = try model.tokens(1)
    let resident = try await model.run(
      tokens, on: try await Engine(modelAt: folder.path, options: GoldenModel.exactOptions))
    var options = GoldenModel.exactOptions
    options.expertPool = .fraction(0.25)
    let offloaded = try await model.run(
      tokens, on: try await Engine(modelAt: folder.path, options: options))
    #expect(resident.logits == offloaded.logits)
    withExtendedLifetime(folder) {}
  }

  /// The folder's tokenizer is the GGUF file's.
  @Test(arguments: ["olmoe", "qwen3moe"])
  func tokenizersAreThoseOfTheGGUF(_ name: String) throws {
    let folder = try Goldens.require("models/\(name)/hf/config.json").deletingLastPathComponent()
    let gguf = try Goldens.require("models/\(name)/model-f32.gguf")
    let (own, other) = (
      try Engine.tokenizer(ofModelAt: folder.path), try Engine.tokenizer(ofModelAt: gguf.path)
    )
    #expect(own.vocabularySize == other.vocabularySize && own.endTokens == other.endTokens)
    #expect(own.beginToken == other.beginToken && own.addsBeginToken == other.addsBeginToken)
    for token in 0..<Int32(own.vocabularySize) {
      #expect(own.text(of: token) == other.text(of: token))
    }
    for text in ["Hello, world! 12345", "naïve 中文 🙂\n\n  x", "<|bos|>it's"] {
      #expect(own.encode(text) == other.encode(text))
      #expect(
        own.encode(text, parseSpecial: true) == other.encode(text, parseSpecial: true))
    }
  }
}
