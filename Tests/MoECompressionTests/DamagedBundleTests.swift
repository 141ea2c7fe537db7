import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Bundles that have all of a model, and whatever may have happened to their bytes.
@Suite struct DamagedBundleTests {
  let folder: TemporaryFolder
  let source: PackSource
  /// All layers but the last are in records.
  let bundle: MoEStore.Bundle
  let content: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    try SyntheticModel(.qwen3moe).write(to: folder.url.appending(path: "model.gguf"))
    source = try PackSource(modelAt: folder.url.appending(path: "model.gguf").path)
    let path = folder.url.appending(path: "whole.moebundle").path
    let first = try #require(source.routedLayers.first)
    let packer = try Packer(
      source, to: path, codec: CodecRegistry.zstd, layers: first...first, isStandalone: true,
      threadCount: 1)
    _ = try packer.pack(expectedByteCount: 0)
    bundle = try MoEStore.Bundle(path: path)
    content = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// A bundle of other bytes.
  private func write(_ bytes: [UInt8]) throws -> String {
    let path = folder.url.appending(path: "changed.moebundle").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Everything that reads a bundle as a model: what it says, or nil where all was read.
  private func readAll(_ path: String) -> String? {
    do {
      let model = try FormatRegistry.open(path)
      try model.requireModel()
      let description = try ArchitectureRegistry.describe(
        metadata: model, tensors: model.tensors)
      let tensors = try ModelTensors(
        description: description, tensors: model.tensors, file: model.sourceName)
      guard let bundle = model.bundle else { return "no bundle" }
      _ = try tensors.experts.stored(in: bundle, fileIndex: 0)
      let unpacker = try Unpacker(
        bundle, model: nil, to: folder.url.appending(path: "out.gguf").path, replaces: true,
        threadCount: 1)
      try unpacker.unpack()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func tensorsAreWhereTheBundleHasThem() throws {
    let model = try BundledModel(path: bundle.file.path)
    let whole = try GGUFFile(path: source.files[0].path)
    #expect(model.original.tensors == whole.tensors && model.keys == whole.keys)
    #expect(model.files.count == 1 && model.architecture == "qwen3moe")
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: source.files[0].path)))
    var nowhereCount = 0
    for (found, original) in zip(model.tensors, whole.tensors) {
      #expect(found.name == original.name && found.shape == original.shape)
      #expect(found.extent.byteCount == original.extent.byteCount)
      guard !found.extent.isNowhere else {
        nowhereCount += 1
        continue
      }
      let (start, place) = (original.extent.offset, found.extent.offset)
      #expect(place % 4096 == start % 4096)
      let own = Array(content[place..<place + found.extent.byteCount])
      #expect(own == Array(bytes[start..<start + original.extent.byteCount]))
      #expect(found.checksum == CRC32C.checksum(own))
    }
    #expect(nowhereCount == 3)
  }

  /// Any bit that flips in what is kept is noticed by who checks, and nothing is written of it.
  @Test func flippedBitsAreNoticed() throws {
    var random = SeededGenerator(seed: 3)
    let out = folder.url.appending(path: "out.gguf").path
    for range in bundle.ranges {
      var bytes = content
      let offset = Int.random(in: 0..<range.extent.byteCount, using: &random)
      bytes[range.place + offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      let path = try write(bytes)
      let said = try #require(readAll(path))
      #expect(said.contains("damaged") || said.contains("found others"), "\(said)")
      #expect(!FileManager.default.fileExists(atPath: out))
      let check = try BundleCheck(try MoEStore.Bundle(path: path), threadCount: 1)
      #expect(try check.damagedRanges { _, _ in } == [range.extent])
      #expect(try check.damaged { _, _ in }.isEmpty)
    }
    #expect(readAll(bundle.file.path) == nil)
  }

  /// Every cut is noticed.
  @Test func cutsAreNoticed() throws {
    for count in [0, 7, 39, 100, bundle.tableByteCount, content.count / 2, content.count - 1] {
      let said = readAll(try write(Array(content.prefix(count))))
      #expect(said?.split(separator: "\n").count == 1, "\(count) bytes")
    }
  }

  /// Tables and headers with checksums that fit, and numbers that need not: a sentence, or the
  /// same bytes as if nothing were wrong; never anything else.
  @Test func tablesThatFuzzMadeDoNoHarm() throws {
    let original = try Data(contentsOf: URL(fileURLWithPath: source.files[0].path))
    let out = folder.url.appending(path: "out.gguf")
    for seed in Fuzz.seeds(15000, iterationsPerRun: 100) {
      var random = SeededGenerator(seed: seed)
      var changed = bundle
      var bytes = content
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        change(&changed, &bytes, &random)
      }
      bytes.replaceSubrange(0..<changed.tableByteCount, with: changed.table())
      let said = readAll(try write(bytes))
      #expect(said.map { $0.split(separator: "\n").count } ?? 1 == 1, "seed \(seed): \(said ?? "")")
      if said == nil {
        let isSame = try Data(contentsOf: out) == original
        // Only a header that says something else of the model gives another file.
        let isOtherHeader = changed.ranges[0].checksum != bundle.ranges[0].checksum
        #expect(isSame || isOtherHeader, "seed \(seed)")
        try FileManager.default.removeItem(at: out)
      }
    }
  }

  /// Changes a number of a range, of a record, or a byte of the header, which then has the checksum
  /// that the table says.
  private func change(
    _ bundle: inout MoEStore.Bundle, _ bytes: inout [UInt8], _ random: inout SeededGenerator
  ) {
    let numbers = [0, 1, 31, 4095, 4096, bytes.count, 1 << 40, Int.max, Int.max - 4095]
    let number = numbers[Int.random(in: 0..<numbers.count, using: &random)]
    let index = Int.random(in: 0..<bundle.ranges.count, using: &random)
    switch Int.random(in: 0..<7, using: &random) {
    case 0: bundle.ranges[index].extent.offset = number
    case 1: bundle.ranges[index].extent.byteCount = number
    case 2: bundle.ranges[index].place = number
    case 3:
      let other = bundle.ranges[Int.random(in: 0..<bundle.ranges.count, using: &random)]
      bundle.ranges[index].place = other.place
    case 4: bundle.marks[0].byteCount = number
    case 5:
      let expert = Int.random(in: 0..<bundle.layers[0].records.count, using: &random)
      bundle.layers[0].records[expert].extent.offset = number
    default:
      let header = self.bundle.ranges[0]
      bytes[header.place + Int.random(in: 0..<header.extent.byteCount, using: &random)] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
      bundle.ranges[0].checksum = CRC32C.checksum(
        Array(bytes[header.place..<header.place + header.extent.byteCount]))
    }
  }
}
