import Foundation
import MoECompression
import MoECore
import MoEFormats
import MoEKernels
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Packed and unpacked again, every model's files are what they were, byte for byte.
@Suite struct UnpackerTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func path(_ name: String) -> String { folder.url.appending(path: name).path }

  func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  func model(
    _ architecture: SyntheticModel.Architecture = .olmoe, _ type: GGMLType = .f32
  ) throws -> String {
    var model = SyntheticModel(architecture)
    model.formats = SyntheticModel.Formats(type)
    try model.write(to: folder.url.appending(path: "model.gguf"))
    return path("model.gguf")
  }

  func pack(
    _ source: PackSource, _ codec: CodecEntry = CodecRegistry.zstd,
    layers: ClosedRange<Int>? = nil, isStandalone: Bool = true, order: [Int: [Int]] = [:]
  ) throws -> MoEStore.Bundle {
    let path = path("packed.moebundle")
    let packer = try Packer(
      source, to: path, codec: codec, layers: layers, isStandalone: isStandalone, order: order,
      threadCount: 2)
    _ = try packer.pack(expectedByteCount: 0)
    return try MoEStore.Bundle(path: path)
  }

  func unpack(_ bundle: MoEStore.Bundle, _ source: PackSource?, to name: String) throws -> [String]
  {
    let unpacker = try Unpacker(
      bundle, model: source, to: path(name), replaces: true, threadCount: 2)
    var last = 0
    try unpacker.unpack { done, total in
      #expect(done > last && done <= total)
      last = done
    }
    #expect(last == unpacker.byteCount)
    return unpacker.paths
  }

  @Test(arguments: SyntheticModel.Architecture.allCases)
  func everyArchitectureComesBack(_ architecture: SyntheticModel.Architecture) throws {
    let model = try model(architecture)
    let original = try bytes(model)
    let source = try PackSource(modelAt: model)
    let last = try #require(source.routedLayers.last)
    for codec in CodecRegistry.all {
      for layers in [nil, last...last] {
        for isStandalone in [false, true] {
          let bundle = try pack(source, codec, layers: layers, isStandalone: isStandalone)
          #expect(bundle.isStandalone == isStandalone)
          let paths = try unpack(bundle, isStandalone ? nil : source, to: "unpacked.gguf")
          #expect(paths == [path("unpacked.gguf")])
          #expect(
            try bytes(paths[0]) == original,
            "\(codec.name), layers \(layers.map { "\($0)" } ?? "all"), \(isStandalone)")
        }
      }
    }
    #expect(try folder.files == ["model.gguf", "packed.moebundle", "unpacked.gguf"])
  }

  /// Copies in fewer bits are besides the experts as they are, and change nothing of these.
  @Test func copiesInFewerBitsAreLeftOut() throws {
    let source = try PackSource(modelAt: try model(.olmoe, .q8_0))
    let encoder = try #require(BlockEncoderRegistry.entry(named: "q4_0"))
    let low = LowCopy.nearest(
      encoder, quantizer: MatrixQuantizer(team: try WorkerTeam(workerCount: 1)))
    let packer = try Packer(
      source, to: path("packed.moebundle"), codec: CodecRegistry.zstd, low: low,
      isStandalone: true, threadCount: 1)
    _ = try packer.pack(expectedByteCount: 0)
    let bundle = try MoEStore.Bundle(path: packer.path)
    #expect(bundle.hasLowCopies)
    #expect(try bytes(try unpack(bundle, nil, to: "unpacked.gguf")[0]) == bytes(path("model.gguf")))
  }

  /// Of a model in several files, each is what it was, under the same numbers.
  @Test(arguments: [false, true]) func shardsComeBack(_ isStandalone: Bool) throws {
    let writer = try GGUFWriter(copyOf: try model())
    let shards = try writer.writeShards(count: 3, named: "split", in: folder.url)
    let source = try PackSource(modelAt: shards[1].path)
    let bundle = try pack(source, isStandalone: isStandalone)
    let byName = try unpack(bundle, isStandalone ? nil : source, to: "other.gguf")
    #expect(byName == (1...3).map { path("other-0000\($0)-of-00003.gguf") })
    let byShard = try unpack(
      bundle, isStandalone ? nil : source, to: "third-00002-of-00003.gguf")
    #expect(byShard == (1...3).map { path("third-0000\($0)-of-00003.gguf") })
    for (number, shard) in shards.enumerated() {
      let original = try bytes(shard.path)
      #expect(try bytes(byName[number]) == original && bytes(byShard[number]) == original)
    }
    #expect(try GGUFFile(path: byName[2]).tensors == GGUFFile(path: shards[0].path).tensors)
  }

  /// Records lie in the order that was asked for, and each is still its expert's.
  @Test func recordsLieInTheOrderGiven() throws {
    let model = try model(.olmoe, .bf16)
    let source = try PackSource(modelAt: model)
    let layer = try #require(source.routedLayers.first)
    let order = Array((0..<source.expertCount(ofLayer: layer)).reversed())
    let bundle = try pack(source, order: [layer: order])
    #expect(bundle.order == .byCoUse)
    let records = try #require(bundle.layer(layer)).records
    let found = records.indices.sorted { records[$0].extent.offset < records[$1].extent.offset }
    #expect(found == order)
    let last = try #require(source.routedLayers.last)
    let other = try #require(bundle.layer(last)).records
    #expect(other.map(\.extent.offset) == other.map(\.extent.offset).sorted())
    #expect(try bytes(try unpack(bundle, nil, to: "unpacked.gguf")[0]) == bytes(model))
    let check = try BundleCheck(bundle, threadCount: 1)
    #expect(try check.damaged(comparedWith: source) { _, _ in }.isEmpty)
    #expect(try check.damagedRanges(comparedWith: source) { _, _ in }.isEmpty)
  }

  /// A run that ended anywhere is gone on with, and gives the same file as one that did not.
  @Test func whatWasInterruptedIsGoneOnWith() throws {
    let source = try PackSource(modelAt: try model())
    let whole = try bytes(try pack(source).file.path)
    var total = 0
    func run(until limit: Int) throws {
      let cancellation = CancellationFlag()
      let packer = try Packer(
        source, to: path("again.moebundle"), codec: CodecRegistry.zstd, isStandalone: true,
        threadCount: 1, cancellation: cancellation)
      _ = try packer.pack(expectedByteCount: 0) { done, all in
        total = all
        if done >= limit { cancellation.cancel() }
      }
    }
    try run(until: .max)
    #expect(try bytes(path("again.moebundle")) == whole && total > 0)
    // Among the experts, and among all else, which comes behind them.
    let expertByteCount = source.byteCount(ofLayers: source.routedLayers)
    #expect(expertByteCount < total)
    for limit in [1, expertByteCount / 2, expertByteCount, expertByteCount + 1] {
      try FileManager.default.removeItem(atPath: path("again.moebundle"))
      #expect(throws: PackError.self) { try run(until: limit) }
      #expect(!FileManager.default.fileExists(atPath: path("again.moebundle")))
      try run(until: .max)
      #expect(try bytes(path("again.moebundle")) == whole, "interrupted at \(limit)")
    }
  }

  @Test func whatCannotBeUnpackedIsRefused() throws {
    let model = try model()
    let source = try PackSource(modelAt: model)
    var bundle = try pack(source, isStandalone: false)
    func refusal(_ bundle: MoEStore.Bundle, _ source: PackSource?) -> String {
      do {
        _ = try Unpacker(
          bundle, model: source, to: path("unpacked.gguf"), replaces: true, threadCount: 1)
        return ""
      } catch {
        return error.description
      }
    }
    #expect(refusal(bundle, nil).contains("which stands beside its model"))
    #expect(throws: PackError.self) {
      try Unpacker(bundle, model: source, to: model, threadCount: 1)
    }
    // Experts in another format than the model's: its bytes are not in the bundle.
    let halves = try #require(QuantFormat.all.first { $0.name == "F16" })
    for part in bundle.layers[0].parts.indices {
      bundle.layers[0].parts[part].formatID = halves.ggmlType
    }
    #expect(refusal(bundle, source).contains("in another format than the model"))
    bundle = try pack(source)
    bundle.marks[0].startChecksum ^= 1
    #expect(refusal(bundle, source).contains("was packed from another model"))
    bundle.ranges.remove(at: 1)
    #expect(refusal(bundle, nil).contains("table is damaged"))
    #expect(throws: PackError.self) { try PackSource(modelAt: bundle.file.path) }
  }
}

extension TemporaryFolder {
  /// Names of what is in it, in order.
  fileprivate var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
  }
}
