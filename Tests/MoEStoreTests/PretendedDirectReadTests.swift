import Foundation
import MoECore
import MoEPlatform
import MoEStore
import Testing

/// File systems that take direct reads and make them buffered ones: compressed btrfs, some of FUSE.
@Suite struct PretendedDirectReadTests {
  private let files: TemporaryFiles
  private let input: InputFile

  init() throws {
    files = try TemporaryFiles([patternedBytes(count: 1 << 20, seed: 1)])
    input = try InputFile(files.files[0].path)
    input.adviseRandomReads()
    input.dropFromPageCache()
    guard input.cachedByteCount(in: 0..<1 << 20) == 0 else {
      try Test.cancel("this file system keeps its pages")
    }
  }

  /// What a file system does that only pretends.
  private func readBuffered(_ offset: Int, _ block: UnsafeMutableRawBufferPointer) -> Int {
    (try? unsafe input.read(at: offset, into: block)) ?? -Int(EIO)
  }

  @Test(arguments: [512, 4096])
  func areNoticedByWhatTheyLeaveInThePageCache(_ alignment: Int) throws {
    let refused = StoreError.backendUnavailable(
      name: "ring", reason: .directReadsAreBuffered(path: input.path))
    #expect(throws: refused) {
      try unsafe DirectAccess.probe(
        OpenFiles(files.files), alignment: alignment, forBackend: "ring"
      ) { _, offset, block in unsafe readBuffered(offset, block) }
    }
    #expect(input.cachedByteCount(in: 0..<1 << 20) == 0)
    #expect(refused.description.contains("goes through the page cache"))
  }

  @Test func realOnesAreNotMistakenForThem() throws {
    for name in ["ring", "pread"] {
      _ = try makeReader(name, files)
      #expect(input.cachedByteCount(in: 0..<1 << 20) == 0)
    }
  }

  /// Another program that uses the file is no proof of anything.
  @Test func pagesThatWereThereBeforeSayNothing() throws {
    let address = try unsafe #require(
      mmap(nil, 1 << 20, PROT_READ, MAP_SHARED, input.descriptor, 0))
    defer { unsafe munmap(address, 1 << 20) }
    // What is mapped and was touched cannot be dropped.
    var sum = 0
    for offset in stride(from: 0, to: 1 << 20, by: 4096) {
      sum += Int(unsafe address.load(fromByteOffset: offset, as: UInt8.self))
    }
    #expect(sum > 0)
    try unsafe DirectAccess.probe(OpenFiles(files.files), alignment: 4096, forBackend: "ring") {
      _, offset, block in unsafe readBuffered(offset, block)
    }
  }

  /// Nor are some pages that another program has read in the meantime.
  @Test(arguments: 1...4)
  func pagesThatComeMeanwhileSayNothing(_ count: Int) throws {
    var reads = 0
    try unsafe DirectAccess.probe(OpenFiles(files.files), alignment: 4096, forBackend: "ring") {
      _, offset, block in
      reads += 1
      return reads <= count ? unsafe readBuffered(offset, block) : block.count
    }
    #expect(reads == count + 1)
    #expect(input.cachedByteCount(in: 0..<1 << 20) == 0)
  }

  @Test func theyAreReadThroughThePageCacheAndDroppedAfterUse() throws {
    let pretending = BackendEntry(name: "ring", summary: "Pretends.", isAutomatic: true) {
      [input] (open, depth) throws(StoreError) in
      try unsafe DirectAccess.probe(open, alignment: 4096, forBackend: "ring") {
        _, offset, block in (try? unsafe input.read(at: offset, into: block)) ?? -1
      }
      return MemoryBackend(contents: [], depth: depth)
    }
    let selection = try BackendSelection(
      .automatic, for: OpenFiles(files.files), depth: 8,
      registry: [pretending] + BackendRegistry.all.filter { $0.name == "buffered" })
    let reader = try ExtentReader(selection, files: files.files, limits: ExtentReader.Limits())
    #expect(reader.report.contains("dropped after use"))
    #expect(reader.report.contains("ring not taken: \(input.path): the file system takes direct"))
    for start in stride(from: 0, to: 900_000, by: 70_001) {
      let buffer = try PartBuffer(
        [FileExtent(fileIndex: 0, offset: start, byteCount: 120_000)], reader.placement)
      try buffer.read(with: reader)
      #expect(buffer.holds(files.contents))
      #expect(input.cachedByteCount(in: 0..<1 << 20) == 0)
    }
  }
}
