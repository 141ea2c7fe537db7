import Foundation
import MoECore
import MoEExperts
import MoEFormats
import MoERuntime
import MoESynthetic
import MoETestSupport
import MoETokenizer
import Testing

/// Published folders whose weights are not what products read: MXFP4 in quants and scales, 8-bit
/// floats, columns in place of rows. They give the bits of a GGUF file with the same numbers, all
/// experts in memory or few.
@Suite struct PublishedFormTests {
  /// Shares of all experts; nil stands for all in memory, 0 for the smallest pool.
  private static let pools: [Double?] = [nil, 0, 0.3, 0.6]

  private func run(
    _ path: String, _ model: GoldenModel, pool: Double? = nil
  ) async throws -> GoldenRun {
    var options = GoldenModel.exactOptions
    if let pool {
      let layout = try GoldenModel.poolLayout(path)
      let wanted = Int(pool * Double(layout.fullByteCount))
      options.expertPool = .bytes(max(wanted, layout.floorByteCount))
    }
    return try await model.run(
      model.tokens(1), on: try await Engine(modelAt: path, options: options))
  }

  private func golden(_ name: String) throws -> GoldenModel {
    try #require(GoldenModel.all.first { $0.name == name })
  }

  /// The folder gives what the file gives, whatever the pool.
  private func expectSameBits(
    _ folder: PublishedFolder, _ reference: PlainModel, _ model: GoldenModel
  ) async throws {
    let place = try TemporaryFolder()
    let url = place.url.appending(path: "reference.gguf")
    try reference.write(to: url)
    let wanted = try await run(url.path, model).logits.map(\.bitPattern)
    for pool in Self.pools {
      let found = try await run(folder.path, model, pool: pool).logits.map(\.bitPattern)
      #expect(found == wanted, "pool \(pool ?? 1)")
    }
    withExtendedLifetime((folder, place)) {}
  }

  private func expectReferences(_ folder: PublishedFolder, _ model: GoldenModel) async throws {
    let engine = try await Engine(modelAt: folder.path, options: GoldenModel.exactOptions)
    for sequence in model.sequences {
      let run = try await model.run(try model.tokens(sequence), on: engine)
      let logits = try model.golden.floats("seq\(sequence).logits")
      #expect(Difference(logits, run.logits).maximum <= model.bounds.logits)
      for (layer, choices) in run.choices {
        let experts = try model.golden.integers("seq\(sequence).router.\(layer).experts")
        #expect(choices.flatMap { $0.map { Int32($0.expert) } } == experts, "layer \(layer)")
      }
    }
    withExtendedLifetime(folder) {}
  }

  @Test func gptOSSInFloatsGivesTheReferences() async throws {
    let model = try golden("gpt-oss f32")
    let plain = try PlainModel(model.modelPath)
    let folder = try PublishedFolder("gpt-oss", tensors: plain.publishedGPTOSS(), fileCount: 2)
    try await expectReferences(folder, model)
    try await expectSameBits(folder, plain, model)
  }

  /// Attention stays F32: formats beside each other are usual.
  @Test func gptOSSInBF16GivesTheBitsOfTheFile() async throws {
    let model = try golden("gpt-oss f32")
    var plain = try PlainModel(model.modelPath)
    plain.round(where: { $0.name.contains("_exps.weight") }, keepingFloats: false)
    let folder = try PublishedFolder("gpt-oss", tensors: plain.publishedGPTOSS())
    try await expectSameBits(folder, plain, model)
  }

  /// Biases are BF16 in the published files.
  @Test func gptOSSInMXFP4GivesTheBitsOfTheFile() async throws {
    let model = try golden("gpt-oss-mxfp4 mxfp4")
    var plain = try PlainModel(model.modelPath)
    var published = plain
    plain.round(where: { $0.name.contains("_exps.bias") }, keepingFloats: true)
    published.round(where: { $0.name.contains("_exps.bias") }, keepingFloats: false)
    let tensors = published.publishedGPTOSS()
    #expect(tensors.contains { $0.type == "BF16" } && tensors.contains { $0.type == "U8" })
    let folder = try PublishedFolder("gpt-oss-mxfp4", tensors: tensors, fileCount: 3)
    try await expectSameBits(folder, plain, model)
  }

  @Test(arguments: ["deepseek3-plain", "deepseek2-lite"])
  func deepSeekGivesTheReferences(_ name: String) async throws {
    let model = try golden("\(name) f32")
    var plain = try PlainModel(model.modelPath)
    plain.joinLatents()
    let folder = try PublishedFolder(name, tensors: plain.publishedDeepSeek(), fileCount: 2)
    try await expectReferences(folder, model)
    try await expectSameBits(folder, plain, model)
  }

  @Test(arguments: ["deepseek3-plain", "deepseek2-lite"])
  func deepSeekInEightBitFloatsGivesTheBitsOfTheFile(_ name: String) async throws {
    let model = try golden("\(name) f32")
    var plain = try PlainModel(model.modelPath)
    plain.joinLatents()
    let tensors = plain.publishedDeepSeek(f8: true)
    #expect(tensors.contains { $0.type == "F8_E4M3" })
    let folder = try PublishedFolder(name, tensors: tensors, fileCount: 2) {
      $0["quantization_config"] = [
        "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
      ]
      // A layer that predicts the token after the next, which is not read.
      $0["num_nextn_predict_layers"] = name == "deepseek3-plain" ? 1 : nil
    }
    try await expectSameBits(folder, plain, model)
  }

  @Test func whatDoesNotFitIsRefusedByName() throws {
    let path = try Goldens.require("models/gpt-oss-mxfp4/model-mxfp4.gguf").path
    let tensors = try PlainModel(path).publishedGPTOSS()
    func refusal(
      _ tensors: [PublishedFolder.Tensor], _ change: (inout [String: Any]) -> Void = { _ in }
    ) throws -> String {
      let folder = try PublishedFolder("gpt-oss-mxfp4", tensors: tensors, changing: change)
      let error = try #require(throws: FormatError.self) {
        try FormatRegistry.open(folder.path)
      }
      #expect(!error.description.contains("\n"))
      return error.description
    }
    let scales = "model.layers.1.mlp.experts.down_proj_scales"
    let missing = try refusal(tensors.filter { $0.name != scales })
    #expect(missing.contains(scales) && missing.contains("no such tensor"))
    var odd = tensors
    let place = try #require(odd.firstIndex { $0.name == scales })
    odd[place].shape = [odd[place].shape[0] * odd[place].shape[1], odd[place].shape[2]]
    #expect(try refusal(odd).contains(scales))
    for (name, value) in [
      ("quantization_config", ["quant_method": "awq"] as Any),
      ("quantization_config", ["quant_method": "fp8", "weight_block_size": [64, 64]]),
      ("layer_types", ["full_attention", "full_attention"]), ("swiglu_limit", 9),
      ("rope_parameters", ["rope_type": "yarn", "factor": 32, "truncate": true]),
    ] {
      let message = try refusal(tensors) { $0[name] = value }
      #expect(message.contains(name), "\(message)")
    }
    let method = try refusal(tensors) { $0["quantization_config"] = ["quant_method": "awq"] }
    #expect(method.contains("awq"))
    let eight = PublishedFolder.Tensor(
      name: "model.norm.weight", type: "F8_E4M3", shape: [8, 8], bytes: Data(count: 64))
    let alone = try refusal(tensors.filter { $0.name != eight.name } + [eight])
    #expect(alone.contains("model.norm.weight_scale_inv"))
  }

  /// The tokenizer beside the weights is that of the GGUF file.
  @Test(arguments: [("deepseek3-plain", "deepseek-v3"), ("gpt-oss", "gpt2")])
  func tokenizersAreThoseOfTheGGUF(_ model: String, _ kind: String) throws {
    let gguf = try Goldens.require("models/\(model)/model-f32.gguf").path
    var plain = try PlainModel(gguf)
    let tensors =
      model == "gpt-oss" ? plain.publishedGPTOSS() : plain.publishedDeepSeek()
    let folder = try PublishedFolder(model, tensors: tensors, tokenizer: kind)
    let (own, other) = (
      try Engine.tokenizer(ofModelAt: folder.path), try Engine.tokenizer(ofModelAt: gguf)
    )
    #expect(own.vocabularySize == other.vocabularySize)
    for token in 0..<Int32(own.vocabularySize) {
      #expect(own.text(of: token) == other.text(of: token))
    }
    for text in ["Hello, world! 12345", "naïve 中文 🙂\n\n  x", "it's 1,234.5\tdef f(x):"] {
      #expect(own.encode(text) == other.encode(text))
    }
    withExtendedLifetime(folder) {}
  }
}
