import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import Testing

/// Folders of published models that cannot be used, each refused in one sentence.
@Suite struct HuggingFaceFolderTests {
  /// A copy of a golden folder, to be changed.
  private func copy() throws -> TemporaryFolder {
    let source = try Goldens.require("models/olmoe/hf/config.json").deletingLastPathComponent()
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
      let target = folder.url.appending(path: name)
      try Data(contentsOf: source.appending(path: name)).write(to: target)
    }
    return folder
  }

  private func change(
    _ folder: TemporaryFolder, _ file: String, _ change: (inout [String: Any]) -> Void
  ) throws {
    let url = folder.url.appending(path: file)
    var members = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    change(&members)
    try JSONSerialization.data(withJSONObject: members).write(to: url)
  }

  private func refusal(_ folder: TemporaryFolder) throws -> FormatError {
    let error = try #require(throws: FormatError.self) {
      try FormatRegistry.open(folder.url.path)
    }
    #expect(!error.description.contains("\n"))
    return error
  }

  @Test func aFolderHasWhatItsGGUFFileHas() throws {
    let folder = try copy()
    let model = try FormatRegistry.open(folder.url.path + "/")
    let file = try GGUFFile(path: Goldens.require("models/olmoe/model-f32.gguf").path)
    #expect(model.architecture == "olmoe" && model.formatName == "safetensors")
    for key in file.keys where key.hasPrefix("olmoe.") || key.hasPrefix("tokenizer.ggml.") {
      guard let own = model.value(forKey: key), let wanted = file.value(forKey: key) else {
        continue
      }
      if case .array = wanted { continue }
      // GGUF has single precision.
      let isSame =
        own.isEquivalent(to: wanted)
        || own.number.map { Float($0) } == wanted.number.map { Float($0) }
      #expect(isSame, "\(key)")
    }
    let dense = file.tensors.filter { !$0.name.contains("_exps") }
    for tensor in dense {
      let own = model.tensors.first { $0.name == tensor.name }
      #expect(own?.shape == tensor.shape, "\(tensor.name)")
    }
    #expect(model.tensors.count { $0.name.hasPrefix("blk.0.ffn_up.") } == 8)
    withExtendedLifetime(folder) {}
  }

  @Test(arguments: [
    ("model_type", "gpt_neox", FormatError.Kind.unsupported), ("hidden_act", "gelu", .unsupported),
    ("model_type", "", .unsupported), ("hidden_size", "large", .unsupported),
  ])
  func configurationsOfOtherModelsAreRefused(
    name: String, value: String, kind: FormatError.Kind
  ) throws {
    let folder = try copy()
    try change(folder, "config.json") { $0[name] = value }
    let error = try refusal(folder)
    #expect(error.kind == kind && error.description.contains(name))
  }

  @Test func otherMathematicsIsRefused() throws {
    let cases: [(String, Any)] = [
      ("quantization_config", ["quant_method": "gptq"]), ("partial_rotary_factor", 0.5),
      ("mlp_only_layers", [1]), ("final_logit_softcapping", 30),
      ("rope_scaling", ["rope_type": "dynamic", "factor": 2]),
      ("rope_scaling", ["type": "yarn", "factor": 2, "mscale": 0.7]),
    ]
    for (name, value) in cases {
      let folder = try copy()
      try change(folder, "config.json") { $0[name] = value }
      #expect(try refusal(folder).description.contains(name))
    }
  }

  @Test func missingFilesAreNamed() throws {
    for name in ["model.safetensors", "tokenizer.json"] {
      let folder = try copy()
      try FileManager.default.removeItem(at: folder.url.appending(path: name))
      #expect(try refusal(folder).description.contains(name))
    }
  }

  @Test(arguments: [
    ["a": "../x.safetensors"], ["a": "model.bin"], ["a": "other.safetensors"],
    ["a": "model.safetensors"], [:],
  ])
  func indicesThatDoNotFitAreRefused(_ files: [String: String]) throws {
    let folder = try copy()
    let index = try JSONSerialization.data(withJSONObject: ["weight_map": files])
    try index.write(to: folder.url.appending(path: "model.safetensors.index.json"))
    _ = try refusal(folder)
  }

  @Test func damagedTextIsRefused() throws {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
      let folder = try copy()
      let url = folder.url.appending(path: name)
      try Data("{\"a\": [".utf8).write(to: url)
      _ = try refusal(folder)
    }
  }

  @Test func stepsOfATokenizerThatAreNotKnownAreRefusedByName() throws {
    let steps: [(String, Any)] = [
      ("normalizer", ["type": "Lowercase"]), ("pre_tokenizer", ["type": "Whitespace"]),
      ("model", ["type": "WordPiece", "vocab": ["a": 0]]), ("normalizer", ["type": "Precompiled"]),
    ]
    for (name, value) in steps {
      let folder = try copy()
      try change(folder, "tokenizer.json") { $0[name] = value }
      let type = (value as? [String: Any])?["type"] as? String ?? ""
      #expect(try refusal(folder).description.contains(type))
    }
  }
}
