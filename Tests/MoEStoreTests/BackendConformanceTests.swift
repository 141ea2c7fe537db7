import Foundation
import MoECore
import MoEStore
import Testing

/// What every registered backend must do, on real files.
@Suite struct BackendConformanceTests {
  static let names = BackendRegistry.all.map(\.name)

  private func limits(depth: Int, maxRequestByteCount: Int = 64 << 10) -> ExtentReader.Limits {
    var limits = ExtentReader.Limits()
    limits.depth = depth
    limits.maxRequestByteCount = maxRequestByteCount
    return limits
  }

  @Test(arguments: names, [1, 2, 64])
  func readsTheSameBytesAsTheFilesHold(_ name: String, depth: Int) throws {
    let seed: UInt64 = 17
    let files = try TemporaryFiles([
      // The second ends inside a block, the third is smaller than one.
      patternedBytes(count: 1 << 20, seed: 1), patternedBytes(count: 700_001, seed: 2),
      patternedBytes(count: 77, seed: 3),
    ])
    let reader = try makeReader(name, files, limits: limits(depth: depth))
    var generator = SeededGenerator(seed: seed)
    for round in 0..<20 {
      let extents = randomExtents(
        count: 12, in: files.contents.map(\.count), byteCountMax: 300_000, using: &generator)
      let buffer = try PartBuffer(extents, reader.placement)
      for index in 0..<4 {
        try buffer.submit(
          to: reader, tag: index, index * 3..<index * 3 + 3,
          priority: index % 2 == 0 ? .demand : .prefetch)
      }
      var tags: Set<Int> = []
      while let tag = try reader.next(blocking: true) { tags.insert(tag) }
      #expect(tags == [0, 1, 2, 3])
      #expect(buffer.holds(files.contents), "seed \(seed), round \(round)")
      #expect(buffer.isUntouchedBetweenParts, "seed \(seed), round \(round)")
    }
    try reader.verifyUnchanged()
    #expect(reader.counters.inFlightCountMax <= depth)
    #expect(reader.report.hasPrefix(name))
  }

  @Test(arguments: names)
  func readsExtentsAtEveryPhase(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 40_000, seed: 4)])
    let reader = try makeReader(name, files, limits: limits(depth: 8))
    // GGUF aligns tensors to 32 bytes; the odd step also covers what it never writes.
    for step in [32, 37] {
      let extents = stride(from: 0, to: 8192, by: step).map {
        FileExtent(fileIndex: 0, offset: $0, byteCount: 20_000)
      }
      let buffer = try PartBuffer(extents, reader.placement)
      try buffer.read(with: reader)
      #expect(buffer.holds(files.contents))
    }
  }

  @Test(arguments: names)
  func readsMorePartsAtOnceThanItHasPlacesFor(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 1 << 18, seed: 5)])
    var limits = limits(depth: 4, maxRequestByteCount: 4096)
    limits.partCapacity = 7
    let reader = try makeReader(name, files, limits: limits)
    var generator = SeededGenerator(seed: 6)
    let extents = randomExtents(
      count: 300, in: [1 << 18], byteCountMax: 10_000, using: &generator)
    let buffer = try PartBuffer(extents, reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(files.contents))
  }

  @Test(arguments: names)
  func readsToRegisteredBuffers(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 1 << 20, seed: 7)])
    let reader = try makeReader(name, files, limits: limits(depth: 8))
    let extents = (0..<10).map {
      FileExtent(fileIndex: 0, offset: $0 * 90_000 + 5, byteCount: 80_000)
    }
    let buffer = try PartBuffer(extents, reader.placement)
    // Half of the memory, so that some reads go to it, some beside it, one across the border; then
    // all of it, in the place of the half.
    for share in [2, 1] {
      let count = buffer.memory.byteCount / share / 4096 * 4096
      reader.registerBuffers([buffer.memory.bytes(count: count)])
      try buffer.read(with: reader)
      #expect(buffer.holds(files.contents))
    }
  }

  @Test(arguments: names)
  func letsGoOfReadsUnderWay(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 1 << 20, seed: 8)])
    for _ in 0..<20 {
      let reader = try makeReader(name, files, limits: limits(depth: 16))
      let extent = FileExtent(fileIndex: 0, offset: 3, byteCount: (1 << 20) - 3)
      let buffer = try PartBuffer([extent], reader.placement)
      try buffer.submit(to: reader, tag: 1)
      reader.drain()
      #expect(try reader.next(blocking: true) == nil)
      try buffer.submit(to: reader, tag: 2)
      #expect(try reader.next(blocking: true) == 2)
      #expect(buffer.holds(files.contents))
    }
  }

  @Test(arguments: names)
  func waitsForReadsUnderWayWhenItGoes(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 1 << 20, seed: 8)])
    let extent = FileExtent(fileIndex: 0, offset: 3, byteCount: (1 << 20) - 3)
    let buffer = try PartBuffer([extent], ReadPlacement(alignment: 4096))
    func submitAndLeave() throws {
      let reader = try makeReader(name, files, limits: limits(depth: 16))
      try buffer.submit(to: reader, tag: 3)
    }
    for _ in 0..<20 {
      try submitAndLeave()
      // Nothing is written any more: what is put here now stays.
      unsafe buffer.memory.baseAddress.initializeMemory(
        as: UInt8.self, repeating: 0x11, count: buffer.memory.byteCount)
      usleep(200)
      #expect(buffer.everyByte(is: 0x11))
    }
  }

  @Test(arguments: names)
  func goesOnReadingAFileThatWasReplacedOrUnlinked(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 100_000, seed: 9)])
    let reader = try makeReader(name, files)
    let path = files.files[0].path
    try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    try Data(repeating: 0, count: 100_000).write(to: URL(fileURLWithPath: path))
    let extents = [FileExtent(fileIndex: 0, offset: 1000, byteCount: 99_000)]
    let buffer = try PartBuffer(extents, reader.placement)
    try buffer.read(with: reader)
    try FileManager.default.removeItem(atPath: path + ".old")
    try reader.verifyUnchanged()
    try buffer.read(with: reader)
    #expect(buffer.holds(files.contents))
  }

  @Test(arguments: names)
  func completesWhatHasNoBytes(_ name: String) throws {
    let files = try TemporaryFiles([[], [1, 2, 3]])
    let reader = try makeReader(name, files)
    let buffer = try PartBuffer(
      [
        FileExtent(fileIndex: 0, offset: 0, byteCount: 0),
        FileExtent(fileIndex: 1, offset: 3, byteCount: 0),
      ], reader.placement)
    try buffer.submit(to: reader, tag: 5)
    try buffer.submit(to: reader, tag: 6, 0..<0)
    #expect(try reader.next(blocking: true) == 5)
    #expect(try reader.next(blocking: true) == 6)
    #expect(try reader.next(blocking: true) == nil)
    #expect(reader.counters.requestCount == 0)
  }
}
