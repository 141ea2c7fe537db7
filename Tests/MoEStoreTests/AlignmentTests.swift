import Foundation
import MoECore
import MoEStore
import MoETestSupport
import Testing

/// Direct reads that want larger alignments than memory was planned for.
@Suite struct AlignmentTests {
  private static let most = ReadPlacement.alignmentMax

  @Test func takesWhatMemoryIsPlannedFor() throws {
    for memory in [1, 4, 512, 4096, Self.most] {
      for offset in [1, 512, 4096, Self.most] {
        let alignment = try DirectAccess.alignment(
          memory: memory, offset: offset, path: "file", forBackend: "ring")
        #expect(alignment == max(memory, offset))
      }
    }
  }

  @Test(arguments: [
    (2 * most, 512), (512, 2 * most), (64 << 10, 64 << 10), (1 << 20, 1), (0, 512), (512, 0),
    (768, 512), (512, 1536),
  ])
  func refusesWhatItIsNot(_ memory: Int, _ offset: Int) {
    let refusal = BackendRefusal.alignment(path: "file", memory: memory, offset: offset)
    #expect(throws: StoreError.backendUnavailable(name: "ring", reason: refusal)) {
      try DirectAccess.alignment(memory: memory, offset: offset, path: "file", forBackend: "ring")
    }
    #expect(refusal.description.hasPrefix("file: direct reads want an alignment of \(memory)"))
  }

  private static func wide(_ alignment: Int, _ contents: [[UInt8]]) -> SimulatedBackend {
    SimulatedBackend(contents: contents, alignment: alignment, seed: 1)
  }

  @Test func fallsBackToTheNextBackend() throws {
    let files = try TemporaryFiles([patternedBytes(count: 200_000, seed: 1)])
    let entry = BackendEntry(name: "simulated", summary: "Wide.", isAutomatic: true) {
      [contents = files.contents] (_, _) throws(StoreError) in
      Self.wide(2 * Self.most, contents)
    }
    let registry = [entry] + BackendRegistry.all.filter { $0.name == "buffered" }
    let selection = try BackendSelection(
      .automatic, for: OpenFiles(files.files), depth: 4, registry: registry)
    #expect(
      selection.skipped
        == [SkippedBackend(name: "simulated", reason: .alignmentTooLarge(2 * Self.most))])
    let reader = try ExtentReader(selection, files: files.files, limits: ExtentReader.Limits())
    #expect(reader.report.contains("buffered: ") && reader.report.contains("simulated not taken"))
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 77, byteCount: 150_000)], reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(files.contents))
    let named = StoreError.backendUnavailable(
      name: "simulated", reason: .alignmentTooLarge(2 * Self.most))
    #expect(throws: named) {
      _ = try BackendSelection(
        .named("simulated"), for: OpenFiles(files.files), depth: 4, registry: registry)
    }
  }

  @Test func noReaderIsMadeOfABackendThatWantsMore() throws {
    let contents = [patternedBytes(count: 200_000, seed: 1)]
    let files = [StoreFile(path: "file", byteCount: 200_000)]
    let refused = StoreError.backendUnavailable(
      name: "simulated", reason: .alignmentTooLarge(64 * Self.most))
    #expect(throws: refused) {
      _ = try ExtentReader(backend: Self.wide(64 * Self.most, contents), files: files)
    }
    let reader = try ExtentReader(backend: Self.wide(Self.most, contents), files: files)
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 5, byteCount: 100_000)], reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(contents))
  }
}
