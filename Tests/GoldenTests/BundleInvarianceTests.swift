import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEModel
import MoERuntime
import MoEStore
import MoETestSupport
import Testing

/// The same bits from a bundle as from the model's own file, for every architecture and every
/// lossless codec: at the pool's floor, in half of it, resident, and by every way of reading.
@Suite struct BundleInvarianceTests {
  /// The bundle of a model, packed to a folder of the test's.
  private static func pack(
    _ model: GoldenModel, _ codec: CodecEntry, in folder: TemporaryFolder
  ) throws -> String {
    let path = folder.url.appending(path: "\(codec.name).moebundle").path
    let source = try PackSource(modelAt: model.modelPath)
    let packer = try Packer(source, to: path, codec: codec, threadCount: 2)
    let result = try packer.pack(expectedByteCount: 0)
    #expect(result.expertCount > 0 && result.resumedCount == 0)
    return path
  }

  private static func answers(
    _ model: GoldenModel, _ options: EngineOptions
  ) async throws -> [UInt32] {
    let engine = try await Engine(modelAt: model.modelPath, options: options)
    var bits: [UInt32] = []
    for sequence in model.sequences.prefix(2) {
      bits += try await model.run(try model.tokens(sequence), on: engine).logits.map(\.bitPattern)
    }
    return bits
  }

  /// Models that have experts; others have nothing to pack.
  private static let models = GoldenModel.all.filter { model in
    (try? PackSource(modelAt: model.modelPath)) != nil
  }

  @Test(arguments: models)
  func logitsAreThoseOfTheModelsFile(_ model: GoldenModel) async throws {
    let folder = try TemporaryFolder()
    var options = GoldenModel.exactOptions
    options.placement = .resident
    let expected = try await Self.answers(model, options)
    let number = try #require(GoldenModel.all.firstIndex { $0.name == model.name })
    for codec in CodecRegistry.all {
      options = GoldenModel.exactOptions
      options.bundle = .file(try Self.pack(model, codec, in: folder))
      options.placement = .resident
      #expect(try await Self.answers(model, options) == expected, "\(codec.name), resident")
      options.placement = .offloaded
      let plan = try Engine.plan(modelAt: model.modelPath, options: options)
      #expect(plan.bundle?.codecs.isEmpty == false)
      options.expertPool = .fraction(1)
      let pool = try await Engine(modelAt: model.modelPath, options: options)
        .withDecoder { PoolLayout($0.experts.layout) }
      for share in [0, 0.5] {
        options.expertPool = .bytes(
          max(pool.floorByteCount, Int(share * Double(pool.fullByteCount))))
        options.store = Store.allCases[(number + (share == 0 ? 0 : 1)) % Store.allCases.count]
        #expect(
          try await Self.answers(model, options) == expected,
          "\(codec.name), \(share) of the experts, store \(options.store)")
      }
    }
  }

  /// Some layers from the bundle, the others from the model's file.
  @Test func layersCanComeFromBoth() async throws {
    let model = try #require(GoldenModel.all.first { $0.name == "olmoe f32" })
    let folder = try TemporaryFolder()
    var options = GoldenModel.exactOptions
    options.placement = .offloaded
    options.bundle = .none
    let expected = try await Self.answers(model, options)
    let path = folder.url.appending(path: "some.moebundle").path
    let source = try PackSource(modelAt: model.modelPath)
    let last = try #require(source.routedLayers.last)
    _ = try Packer(source, to: path, codec: CodecRegistry.zstd, layers: last...last, threadCount: 1)
      .pack(expectedByteCount: 0)
    options.bundle = .file(path)
    options.expertPool = .fraction(0.5)
    #expect(try Engine.plan(modelAt: model.modelPath, options: options).bundle?.layerCount == 1)
    #expect(try await Self.answers(model, options) == expected)
  }
}
