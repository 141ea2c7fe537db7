import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Files of models with latent attention keep the matrices that make keys and values of latents in
/// one tensor, in two, or both ways; the answers are the reference's all the same.
@Suite struct LatentStorageTests {
  static let models = GoldenModel.all.filter { model in
    guard model.isExact, let file = try? GGUFFile(path: model.modelPath) else { return false }
    let name = "blk.0." + LatentAttentionDescription.joinedName
    return file.tensors.contains { $0.name == "blk.0.attn_k_b.weight" }
      && !file.tensors.contains { $0.name == name }
  }

  /// Runs a changed copy of a golden's file and compares its logits with the reference's.
  private func check(
    _ model: GoldenModel, _ note: String, _ change: (inout GGUFWriter) throws -> Void
  ) async throws {
    var writer = try GGUFWriter(copyOf: model.modelPath)
    try change(&writer)
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model.gguf")
    try writer.write(to: url)
    let engine = try await Engine(modelAt: url.path, options: GoldenModel.exactOptions)
    for sequence in model.sequences {
      let tokens = try model.tokens(sequence)
      let expected = try model.golden.floats("seq\(sequence).logits")
      let logits = try await model.run(tokens, on: engine).logits
      let difference = Difference(expected, logits)
      #expect(difference.maximum <= model.bounds.logits, "\(note), sequence \(sequence)")
    }
  }

  private func floats(_ tensor: GGUFWriter.Tensor) throws -> [Float] {
    var bytes: [UInt8] = []
    try tensor.produce { bytes += $0 }
    return unsafe bytes.withUnsafeBytes { unsafe Array($0.bindMemory(to: Float.self)) }
  }

  /// For each layer the joined tensor of what its split ones hold.
  private func joined(_ writer: GGUFWriter) throws -> [GGUFWriter.Tensor] {
    try writer.tensors.filter { $0.name.hasSuffix("attn_k_b.weight") }.map { keyTensor in
      let prefix = keyTensor.name.dropLast("attn_k_b.weight".count)
      let valueTensor = try #require(
        writer.tensors.first { $0.name == prefix + "attn_v_b.weight" })
      // (head, latent, plain) and (head, value, latent)
      let (keys, values) = (try floats(keyTensor), try floats(valueTensor))
      let (plain, latent, heads) = (keyTensor.shape[0], keyTensor.shape[1], keyTensor.shape[2])
      let value = valueTensor.shape[1]
      var rows: [Float] = []
      for head in 0..<heads {
        for row in 0..<plain {
          rows += (0..<latent).map { keys[(head * latent + $0) * plain + row] }
        }
        rows += values[head * value * latent..<(head + 1) * value * latent]
      }
      return GGUFWriter.Tensor(
        prefix + LatentAttentionDescription.joinedName, .f32, [latent, heads * (plain + value)],
        bytes: unsafe rows.withUnsafeBytes { unsafe Array($0) })
    }
  }

  private func isSplit(_ tensor: GGUFWriter.Tensor) -> Bool {
    tensor.name.hasSuffix("attn_k_b.weight") || tensor.name.hasSuffix("attn_v_b.weight")
  }

  /// What older files say of head sizes: those of a head under the usual keys.
  private func useOldKeys(_ writer: inout GGUFWriter, _ model: GoldenModel) {
    for name in ["key_length", "value_length"] {
      let key = "\(model.architecture).attention.\(name)"
      guard let own = writer.metadata.first(where: { $0.key == key + "_mla" }) else { continue }
      writer.metadata.removeAll { $0.key == key + "_mla" }
      writer.set(key, own.value)
    }
    let heads = "\(model.architecture).attention.head_count"
    if let count = writer.metadata.first(where: { $0.key == heads }) {
      writer.set(heads + "_kv", count.value)
    }
  }

  @Test(arguments: models) func aJoinedTensorAloneServes(_ model: GoldenModel) async throws {
    try await check(model, "joined") { writer in
      let tensors = try joined(writer)
      writer.tensors.removeAll(where: isSplit)
      writer.tensors += tensors
      useOldKeys(&writer, model)
    }
  }

  @Test(arguments: models) func splitTensorsCountWhereAllAreThere(
    _ model: GoldenModel
  ) async throws {
    try await check(model, "all three") { writer in
      writer.tensors += try joined(writer).map { tensor in
        GGUFWriter.Tensor(
          tensor.name, .f32, tensor.shape, bytes: Array(repeating: 0x3f, count: tensor.byteCount))
      }
      useOldKeys(&writer, model)
    }
  }

  @Test(arguments: models) func headsMayFollowEachOtherInOneMatrix(
    _ model: GoldenModel
  ) async throws {
    try await check(model, "two axes") { writer in
      for index in writer.tensors.indices where isSplit(writer.tensors[index]) {
        let shape = writer.tensors[index].shape
        writer.tensors[index].shape = [shape[0], shape[1] * shape[2]]
      }
    }
  }
}
