import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEModel
import MoERuntime
import MoEStore
import MoETestSupport
import Testing

/// The same bits from a bundle that has all of a model as from the model's own file, for every
/// architecture: at the pool's floor, in half of it and resident; and with some layers in records.
@Suite struct StandaloneInvarianceTests {
  private static let models = GoldenModel.all.filter { model in
    (try? PackSource(modelAt: model.modelPath)) != nil
  }

  private static func pack(
    _ model: GoldenModel, _ codec: CodecEntry, lastLayerAlone: Bool, in folder: TemporaryFolder
  ) throws -> String {
    let path = folder.url.appending(path: "\(codec.name)-\(lastLayerAlone).moebundle").path
    let source = try PackSource(modelAt: model.modelPath)
    let last = try #require(source.routedLayers.last)
    let packer = try Packer(
      source, to: path, codec: codec, layers: lastLayerAlone ? last...last : nil,
      isStandalone: true, threadCount: 2)
    _ = try packer.pack(expectedByteCount: 0)
    return path
  }

  private static func answers(
    _ model: GoldenModel, at path: String, _ options: EngineOptions
  ) async throws -> [UInt32] {
    let engine = try await Engine(modelAt: path, options: options)
    var bits: [UInt32] = []
    for sequence in model.sequences.prefix(1) {
      bits += try await model.run(try model.tokens(sequence), on: engine).logits.map(\.bitPattern)
    }
    return bits
  }

  @Test(arguments: models)
  func logitsAreThoseOfTheModelsFile(_ model: GoldenModel) async throws {
    let folder = try TemporaryFolder()
    var options = GoldenModel.exactOptions
    options.bundle = .none
    options.placement = .resident
    let expected = try await Self.answers(model, at: model.modelPath, options)
    for (codec, isPartial) in [(CodecRegistry.zstd, false), (CodecRegistry.none, true)] {
      let path = try Self.pack(model, codec, lastLayerAlone: isPartial, in: folder)
      options.placement = .resident
      #expect(
        try await Self.answers(model, at: path, options) == expected,
        "\(codec.name), \(isPartial), resident")
      options.placement = .offloaded
      options.expertPool = .fraction(1)
      let pool = try await Engine(modelAt: path, options: options)
        .withDecoder { PoolLayout($0.experts.layout) }
      for share in [0, 0.5] {
        options.expertPool = .bytes(
          max(pool.floorByteCount, Int(share * Double(pool.fullByteCount))))
        #expect(
          try await Self.answers(model, at: path, options) == expected,
          "\(codec.name), \(isPartial), \(share) of the experts")
      }
      #expect(try ModelInspection(path: path).obstacle == nil)
    }
  }

  /// What lies on the disk otherwise than it was packed is an error before the first token.
  @Test func aFlippedBitInDenseWeightsIsNoticed() async throws {
    let model = try #require(GoldenModel.all.first { $0.name == "olmoe f32" })
    let folder = try TemporaryFolder()
    let path = try Self.pack(model, CodecRegistry.zstd, lastLayerAlone: false, in: folder)
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
