import Foundation
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Scales of whole matrices and of stacked experts, in tensors of their own: a model gives what it
/// gives with the scales multiplied into its weights. By powers of two that loses nothing, so then
/// it is the same to the bit.
@Suite struct ScaleTensorTests {
  private func exponent(_ index: Int) -> Int { index % 5 - 2 }

  private func contents(_ tensor: GGUFWriter.Tensor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try tensor.produce { bytes += $0 }
    return bytes
  }

  private func floats(_ values: [Float]) -> [UInt8] {
    unsafe values.withUnsafeBytes { unsafe Array($0) }
  }

  /// Scales of a tensor under one of the two names that they have, and one that is not read.
  private func scales(
    of name: String, _ values: [Float], behindWeight: Bool
  ) -> [GGUFWriter.Tensor] {
    let stem = behindWeight ? name : String(name.dropLast(".weight".count))
    return [
      GGUFWriter.Tensor(stem + ".scale", .f32, [values.count], bytes: floats(values)),
      GGUFWriter.Tensor(stem + ".input_scale", .f32, [1], bytes: floats([0.25])),
    ]
  }

  /// An F32 file whose matrices are divided by powers of two that stand beside them; stacked
  /// experts each by their own.
  private func withScales(_ path: String) throws -> GGUFWriter {
    let file = try GGUFFile(path: path)
    let tensors = try ModelTensors(
      description: try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors),
      tensors: file.tensors, file: path)
    var matrices: [String: Int] = [:]
    for tensor in tensors.sets.flatMap(\.matrices) { matrices[tensor.name] = 1 }
    for part in tensors.experts.layers.flatMap(\.matrices) where !part.name.contains("*") {
      matrices[part.name] = part.expertCount
    }
    // These mean something of their own in Gemma 4.
    let own = Set(file.tensors.map(\.name))
    matrices = matrices.filter { !own.contains($0.key.dropLast("weight".count) + "scale") }
    var writer = try GGUFWriter(copyOf: path)
    var added: [GGUFWriter.Tensor] = []
    for index in writer.tensors.indices {
      let tensor = writer.tensors[index]
      guard let count = matrices[tensor.name] else { continue }
      let factors = (0..<count).map {
        Float(sign: .plus, exponent: exponent($0 + index), significand: 1)
      }
      let values = try unsafe contents(tensor).withUnsafeBytes {
        unsafe Array($0.bindMemory(to: Float.self))
      }
      let size = values.count / count
      let divided = values.enumerated().map { $0.element / factors[$0.offset / size] }
      writer.tensors[index] = GGUFWriter.Tensor(
        tensor.name, .f32, tensor.shape, bytes: floats(divided))
      added += scales(of: tensor.name, factors, behindWeight: index % 2 == 1)
    }
    writer.tensors += added
    return writer
  }

  @Test(arguments: GoldenModel.all.filter(\.isExact))
  func everyMatrixMayHaveAScale(_ model: GoldenModel) async throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "scaled.gguf")
    try withScales(model.modelPath).write(to: url)
    let tokens = try model.tokens(1)
    let plain = try await model.run(tokens, GoldenModel.exactOptions)
    var options = GoldenModel.exactOptions
    let resident = try await model.run(
      tokens, on: try await Engine(modelAt: url.path, options: options))
    #expect(resident.logits.map(\.bitPattern) == plain.logits.map(\.bitPattern))
    options.expertPool = .bytes(try GoldenModel.poolLayout(url.path).floorByteCount)
    let offloaded = try await model.run(
      tokens, on: try await Engine(modelAt: url.path, options: options))
    #expect(offloaded.logits.map(\.bitPattern) == plain.logits.map(\.bitPattern))
    withExtendedLifetime(folder) {}
  }

  /// Experts in NVFP4 of random blocks. Their scales are floats of 8 bits, of which eight more mean
  /// twice as much.
  private func nvfp4(
    _ path: String, doubled: Bool = false, scale: Float? = nil
  ) throws -> GGUFWriter {
    let type = try #require(GGMLType(name: "NVFP4"))
    var writer = try GGUFWriter(copyOf: path)
    var added: [GGUFWriter.Tensor] = []
    var generator = SeededGenerator(seed: 4)
    for index in writer.tensors.indices where writer.tensors[index].name.contains("_exps.weight") {
      let tensor = writer.tensors[index]
      guard tensor.shape[0] % type.blockElementCount == 0 else { continue }
      let blockCount = tensor.shape.reduce(1, *) / type.blockElementCount
      var bytes: [UInt8] = []
      for _ in 0..<blockCount {
        for _ in 0..<4 {
          bytes.append(UInt8.random(in: 8...20, using: &generator) + (doubled ? 8 : 0))
        }
        for _ in 0..<32 { bytes.append(UInt8.random(in: 0...255, using: &generator)) }
      }
      writer.tensors[index] = GGUFWriter.Tensor(tensor.name, type, tensor.shape, bytes: bytes)
      guard let scale else { continue }
      let count = tensor.shape.last ?? 1
      added += scales(
        of: tensor.name, Array(repeating: scale, count: count), behindWeight: false)
    }
    writer.tensors += added
    return writer
  }

  @Test func scalesOfQuantisedExpertsAreThoseOfTheirBlocks() async throws {
    let model = try #require(GoldenModel.all.first { $0.name == "olmoe f32" })
    let folder = try TemporaryFolder()
    let tokens = try model.tokens(1)
    func run(_ writer: GGUFWriter, _ pool: Double? = nil) async throws -> [Float] {
      let url = folder.url.appending(path: "nvfp4.gguf")
      try writer.write(to: url)
      var options = GoldenModel.exactOptions
      if let pool { options.expertPool = .fraction(pool) }
      return try await model.run(tokens, on: try await Engine(modelAt: url.path, options: options))
        .logits
    }
    let wanted = try await run(nvfp4(model.modelPath, doubled: true))
    let scaled = try nvfp4(model.modelPath, scale: 2)
    #expect(scaled.tensors.contains { $0.type.name == "NVFP4" })
    #expect(try await run(scaled).map(\.bitPattern) == wanted.map(\.bitPattern))
    #expect(try await run(scaled, 0.5).map(\.bitPattern) == wanted.map(\.bitPattern))
    #expect(try await run(nvfp4(model.modelPath)) != wanted)
    withExtendedLifetime(folder) {}
  }

  /// By another factor than a power of two, results are those of the weights multiplied with it but
  /// for rounding.
  @Test func scaledWeightsGiveTheLogitsOfTheirProducts() async throws {
    let model = try #require(GoldenModel.all.first { $0.name == "qwen3moe f32" })
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "scaled.gguf")
    var writer = try GGUFWriter(copyOf: model.modelPath)
    var added: [GGUFWriter.Tensor] = []
    for index in writer.tensors.indices where writer.tensors[index].name.contains("_exps.weight") {
      let tensor = writer.tensors[index]
      let factors = (0..<(tensor.shape.last ?? 1)).map { 0.3 + 0.17 * Float($0) }
      let values = try unsafe contents(tensor).withUnsafeBytes {
        unsafe Array($0.bindMemory(to: Float.self))
      }
      let size = values.count / factors.count
      let divided = values.enumerated().map { $0.element / factors[$0.offset / size] }
      writer.tensors[index] = GGUFWriter.Tensor(
        tensor.name, .f32, tensor.shape, bytes: floats(divided))
      added += scales(of: tensor.name, factors, behindWeight: false)
    }
    writer.tensors += added
    try writer.write(to: url)
    let engine = try await Engine(modelAt: url.path, options: GoldenModel.exactOptions)
    for sequence in model.sequences {
      let run = try await model.run(try model.tokens(sequence), on: engine)
      let logits = try model.golden.floats("seq\(sequence).logits")
      #expect(Difference(logits, run.logits).maximum <= model.bounds.logits)
    }
    withExtendedLifetime(folder) {}
  }

  @Test func scalesThatDoNotFitAreRefused() async throws {
    let path = try Goldens.require("models/olmoe/model-f32.gguf").path
    let folder = try TemporaryFolder()
    func refusal(_ tensor: GGUFWriter.Tensor) async throws -> String {
      let url = folder.url.appending(path: "wrong.gguf")
      var writer = try GGUFWriter(copyOf: path)
      writer.tensors.append(tensor)
      try writer.write(to: url)
      let error = await #expect(throws: EngineError.self) {
        _ = try await Engine(modelAt: url.path, options: GoldenModel.exactOptions)
      }
      return error?.description ?? ""
    }
    func tensor(_ name: String, _ values: [Float]) -> GGUFWriter.Tensor {
      GGUFWriter.Tensor(name, .f32, [values.count], bytes: floats(values))
    }
    let cases: [(tensor: GGUFWriter.Tensor, words: [String])] = [
      (tensor("blk.0.attn_q.scale", [1, 1]), ["blk.0.attn_q.scale", "[1]", "[2]"]),
      (tensor("blk.0.ffn_up_exps.scale", [1]), ["blk.0.ffn_up_exps.scale", "[8]", "[1]"]),
      (tensor("blk.0.attn_norm.scale", [1]), ["blk.0.attn_norm.scale", "not known"]),
      (tensor("blk.1.attn_k.scale", [.nan]), ["blk.1.attn_k.scale", "not a finite number"]),
      (
        tensor("blk.1.ffn_down_exps.scale", [1, 1, 1, .infinity, 1, 1, 1, 1]),
        ["blk.1.ffn_down_exps.scale", "expert 3", "not a finite number"]
      ),
    ]
    for (tensor, words) in cases {
      let message = try await refusal(tensor)
      for word in words { #expect(message.contains(word), "\(message)") }
      #expect(!message.contains("\n"))
    }
    withExtendedLifetime(folder) {}
  }
}
