import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEModel
import MoERuntime
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// The same bits from a bundle that has all of a model as from the model's own file, for every
/// architecture: at the pool's floor, in half of it and resident; and with some layers in records.
@Suite struct StandaloneInvarianceTests {
  private static let models = GoldenModel.all.filter { model in
    (try? PackSource(modelAt: model.modelPath)) != nil
  }

  private static func pack(
    _ path: String, _ codec: CodecEntry, lastLayerAlone: Bool, in folder: TemporaryFolder
  ) throws -> String {
    let bundle = folder.url.appending(path: "\(codec.name)-\(lastLayerAlone).moebundle").path
    let source = try PackSource(modelAt: path)
    let last = try #require(source.routedLayers.last)
    let packer = try Packer(
      source, to: bundle, codec: codec, layers: lastLayerAlone ? last...last : nil,
      isStandalone: true, threadCount: 2)
    _ = try packer.pack(expectedByteCount: 0)
    return bundle
  }

  /// Bits of the logits of all tokens.
  private static func answers(
    _ tokens: [Int32], at path: String, _ options: EngineOptions
  ) async throws -> [UInt32] {
    try await Engine(modelAt: path, options: options).withDecoder { decoder in
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      var bits: [UInt32] = []
      for token in tokens {
        try decoder.forward([token], of: sequence, phase: .decode)
        bits += decoder.logits(ofRows: 0..<1).values.map(\.bitPattern)
      }
      return bits
    }
  }

  private static func expectTheSame(_ tokens: [Int32], fromModelAt path: String) async throws {
    let folder = try TemporaryFolder()
    var options = GoldenModel.exactOptions
    options.contextLength = 64
    options.bundle = .none
    options.placement = .resident
    let expected = try await answers(tokens, at: path, options)
    for (codec, isPartial) in [(CodecRegistry.zstd, false), (CodecRegistry.none, true)] {
      let bundle = try pack(path, codec, lastLayerAlone: isPartial, in: folder)
      options.placement = .resident
      #expect(
        try await answers(tokens, at: bundle, options) == expected,
        "\(codec.name), \(isPartial), resident")
      options.placement = .offloaded
      options.expertPool = .fraction(1)
      let pool = try await Engine(modelAt: bundle, options: options)
        .withDecoder { PoolLayout($0.experts.layout) }
      for share in [0, 0.5] {
        options.expertPool = .bytes(
          max(pool.floorByteCount, Int(share * Double(pool.fullByteCount))))
        #expect(
          try await answers(tokens, at: bundle, options) == expected,
          "\(codec.name), \(isPartial), \(share) of the experts")
      }
      #expect(try ModelInspection(path: bundle).obstacle == nil)
    }
  }

  @Test(arguments: models)
  func logitsAreThoseOfTheModelsFile(_ model: GoldenModel) async throws {
    let tokens = try model.tokens(try #require(model.sequences.first))
    try await Self.expectTheSame(Array(tokens.prefix(24)), fromModelAt: model.modelPath)
  }

  @Test(arguments: SyntheticModel.Architecture.allCases)
  func everyArchitectureAnswersTheSame(_ architecture: SyntheticModel.Architecture) async throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model.gguf")
    try SyntheticModel(architecture).write(to: url)
    try await Self.expectTheSame(Array(40..<52), fromModelAt: url.path)
  }

  /// What lies on the disk otherwise than it was packed is an error before the first token.
  @Test func aFlippedBitInDenseWeightsIsNoticed() async throws {
    let model = try #require(GoldenModel.all.first { $0.name == "olmoe f32" })
    let folder = try TemporaryFolder()
    let path = try Self.pack(
      model.modelPath, CodecRegistry.zstd, lastLayerAlone: false, in: folder)
    let range = try #require(
      try MoEStore.Bundle(path: path).ranges.max { $0.extent.byteCount < $1.extent.byteCount })
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    data[range.place + range.extent.byteCount / 2] ^= 1
    try data.write(to: URL(fileURLWithPath: path))
    var found = ""
    do {
      _ = try await Engine(modelAt: path, options: GoldenModel.exactOptions)
    } catch {
      found = "\(error)"
    }
    #expect(found.contains("are damaged"), "\(found)")
  }
}
