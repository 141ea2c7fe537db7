import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoERuntime
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Ternary experts from a bundle, packed and coded: the same bits at every budget, and the answers
/// of a model that has these weights itself.
@Suite struct TernaryBundleTests {
  private static func pack(
    _ model: String, _ codec: CodecEntry, in folder: TemporaryFolder
  ) throws -> String {
    let path = folder.url.appending(path: "\(codec.name).moebundle").path
    let source = try PackSource(modelAt: model)
    let quantizer = MatrixQuantizer(team: try WorkerTeam(workerCount: 2))
    let packer = try Packer(
      source, to: path, codec: codec, ternary: TernaryExperts(source, quantizer: quantizer),
      threadCount: 2)
    _ = try packer.pack(expectedByteCount: 0)
    return path
  }

  /// (position, token): logits after each token of a prompt, and of tokens one by one.
  private static func logits(_ path: String, _ options: EngineOptions) async throws -> [Float] {
    let engine = try await Engine(modelAt: path, options: options)
    return try await engine.withDecoder { decoder in
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      var logits: [Float] = []
      for (tokens, phase) in [
        ([3, 7, 11, 2, 9, 4, 12], InferencePhase.prefill), ([5], .decode), ([8], .decode),
      ] as [([Int32], InferencePhase)] {
        try decoder.forward(tokens[...], of: sequence, phase: phase)
        logits += decoder.logits(ofRows: [tokens.count - 1]).row(0).array()
      }
      return logits
    }
  }

  private static var options: EngineOptions {
    var options = EngineOptions()
    options.kvCacheType = .f32
    options.contextLength = 64
    return options
  }

  /// Resident, at the pool's floor and in half of the pool; the codes are what the bundle says.
  private static func expectSameBits(
    _ model: String, in folder: TemporaryFolder
  ) async throws -> [Float] {
    var expected: [Float]?
    for codec in [CodecRegistry.none, CodecRegistry.ternary, CodecRegistry.qmoe] {
      var options = Self.options
      let path = try pack(model, codec, in: folder)
      options.bundle = .file(path)
      options.placement = .resident
      let resident = try await logits(model, options)
      #expect(resident == expected ?? resident, "\(codec.name), resident")
      expected = resident
      let plan = try Engine.plan(modelAt: model, options: options)
      #expect(plan.bundle?.isTernary == true)
      options.placement = .offloaded
      options.expertPool = .fraction(1)
      let pool = try await Engine(modelAt: model, options: options)
        .withDecoder { PoolLayout($0.experts.layout) }
      for share in [0, 0.5] {
        options.expertPool = .bytes(
          max(pool.floorByteCount, Int(share * Double(pool.fullByteCount))))
        #expect(
          try await logits(model, options) == expected, "\(codec.name), \(share) of the experts")
      }
    }
    return try #require(expected)
  }

  /// A copy of a model of floats whose experts' matrices are rounded as the paper says.
  private static func rounded(_ path: String) throws -> GGUFWriter {
    var writer = try GGUFWriter(copyOf: path)
    let file = try GGUFFile(path: path)
    let contents = try Data(contentsOf: URL(fileURLWithPath: path))
    writer.tensors = try file.tensors.map { tensor in
      let start = contents.startIndex + tensor.extent.offset
      var bytes = Array(contents[start..<start + tensor.extent.byteCount])
      if tensor.name.contains("_exps.weight") {
        let format = try #require(QuantFormat(ggmlType: tensor.formatID))
        #expect(format.name == "F32")
        let floats = format.floats(bytes)
        let columnCount = tensor.shape[0]
        let rows = stride(from: 0, to: floats.count, by: columnCount).flatMap {
          ternary(Array(floats[$0..<$0 + columnCount]))
        }
        bytes = unsafe rows.withUnsafeBytes { unsafe Array($0) }
      }
      return GGUFWriter.Tensor(tensor.name, .f32, tensor.shape, bytes: bytes)
    }
    return writer
  }

  /// A row by the paper's rule: low and high to the nearest bfloat16.
  private static func ternary(_ row: [Float]) -> [Float] {
    func toBrainFloat(_ value: Float) -> Float {
      let lower = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
      let upper = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
      let isEven = value.bitPattern & 0x1_0000 == 0
      let (below, above) = (abs(value - lower), abs(upper - value))
      return below < above || (below == above && isEven) ? lower : upper
    }
    let low = toBrainFloat(min(0, row.min() ?? 0))
    let high = toBrainFloat(max(0, row.max() ?? 0))
    return row.map { $0 > high / 2 ? high : $0 < low / 2 ? low : 0 }
  }

  /// Gates apart, fused with up, and with biases.
  @Test(arguments: SyntheticModel.Architecture.allCases)
  func answersAreThoseOfTheRoundedModel(_ architecture: SyntheticModel.Architecture) async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "model.gguf").path
    var model = SyntheticModel(architecture)
    model.seed = 3
    try model.write(to: URL(fileURLWithPath: path))
    guard (try? PackSource(modelAt: path)) != nil else { return }
    let found = try await Self.expectSameBits(path, in: folder)
    let rounded = folder.url.appending(path: "rounded.gguf")
    try Self.rounded(path).write(to: rounded)
    var options = Self.options
    options.bundle = .none
    let wanted = try await Self.logits(rounded.path, options)
    let plain = try await Self.logits(path, options)
    // Activations of experts have 13 bits: a thousandth of the logits' size in all.
    let size = wanted.map(abs).max() ?? 0
    let error = zip(found, wanted).map { abs($0 - $1) }.max() ?? 0
    #expect(error <= 2e-3 * size, "\(error) of \(size)")
    // Far less than rounding the weights has changed.
    let change = zip(plain, wanted).map { abs($0 - $1) }.max() ?? 0
    #expect(10 * error < change, "\(error), \(change)")
  }

  /// The small trained model, whose weights are blocks of 8 bits.
  @Test func theTrainedModelGivesTheSameBits() async throws {
    let folder = try TemporaryFolder()
    _ = try await Self.expectSameBits(TrainedModel.path, in: folder)
    // Coded parts take less than a bit and a half of a weight where they lie, heads included.
    var options = Self.options
    options.bundle = .file(try Self.pack(TrainedModel.path, CodecRegistry.qmoe, in: folder))
    let summary = try #require(
      try Engine.plan(modelAt: TrainedModel.path, options: options).bundle)
    #expect(summary.codecs.contains("qmoe"))
  }

  /// A bundle that changes answers is not used because it lies there.
  @Test func itIsUsedOnlyWhereItIsAskedFor() async throws {
    let folder = try TemporaryFolder()
    let model = folder.url.appending(path: "model.gguf").path
    try FileManager.default.copyItem(atPath: TrainedModel.path, toPath: model)
    let plain = try await Self.logits(model, Self.options)
    let bundle = try Self.pack(model, CodecRegistry.qmoe, in: folder)
    try FileManager.default.moveItem(
      atPath: bundle, toPath: folder.url.appending(path: "model.moebundle").path)
    #expect(try Engine.plan(modelAt: model, options: Self.options).bundle == nil)
    #expect(try await Self.logits(model, Self.options) == plain)
    var options = Self.options
    options.bundle = .file(folder.url.appending(path: "model.moebundle").path)
    #expect(try await Self.logits(model, options) != plain)
    let check = try BundleCheck(
      Bundle(path: folder.url.appending(path: "model.moebundle").path), threadCount: 2)
    let source = try PackSource(modelAt: model)
    #expect(try check.damaged(comparedWith: source) { _, _ in }.isEmpty)
  }
}
