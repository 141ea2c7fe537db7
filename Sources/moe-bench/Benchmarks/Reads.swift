private import Foundation
internal import MoECore
private import MoEStore

/// Direct reads from a file, the way the engine reads experts: through the same reader and ring,
/// with so many extents under way.
enum ReadBenchmark {
  /// What is read, and how.
  struct Settings {
    var path: String
    /// Bytes of an extent: an expert's matrix, a page run, a sequential block.
    var extentByteCounts: [Int]
    /// Extents under way at once.
    var depth: Int
    /// Which places are read. The same ones again may come from a cache that the disk has, or the
    /// host of a virtual machine, and direct reads do not bypass those.
    var seed: UInt64
  }

  /// Extents that one timed run reads. The queue stays full from one run to the next.
  private static let extentCountPerRun = 16

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    guard let settings = context.reads else { return [] }
    return settings.extentByteCounts.map { byteCount in
      Benchmark(name: "reads/\(byteCount >> 10)KiB-depth\(settings.depth)") {
        let reads = try RandomReads(settings, extentByteCount: byteCount)
        return Benchmark.Prepared(
          diskByteCount: byteCount * extentCountPerRun, memory: [reads.memory],
          run: { for _ in 0..<extentCountPerRun { try reads.turnOver() } },
          isRight: { try reads.areRight() })
      }
    }
  }
}

/// Extents at random places of a file, always `depth` of them under way.
private final class RandomReads {
  let memory: BenchmarkMemory
  private let reader: ExtentReader
  private let file: StoreFile
  private let extentByteCount: Int
  /// (slot): file offset that is being read to it.
  private var offsets: [Int]
  private var generator: SeededGenerator

  init(_ settings: ReadBenchmark.Settings, extentByteCount: Int) throws {
    let attributes = try FileManager.default.attributesOfItem(atPath: settings.path)
    file = StoreFile(path: settings.path, byteCount: (attributes[.size] as? Int) ?? 0)
    guard file.byteCount >= extentByteCount else {
      throw BenchmarkError(
        name: "reads",
        problem: "\(settings.path) has \(file.byteCount) bytes; give a file of at "
          + "least \(extentByteCount), better one that no memory holds")
    }
    self.extentByteCount = extentByteCount
    generator = SeededGenerator(seed: settings.seed)
    offsets = Array(repeating: 0, count: settings.depth)
    memory = try BenchmarkMemory(byteCount: extentByteCount * settings.depth)
    var limits = ExtentReader.Limits()
    let requestCount =
      (extentByteCount + limits.maxRequestByteCount - 1) / limits.maxRequestByteCount
    limits.depth = settings.depth * requestCount
    reader = try ExtentReader(files: [file], backend: .named("ring"), limits: limits)
    reader.registerBuffers([memory.bytes])
    for slot in offsets.indices { try submit(slot) }
  }

  /// Takes one extent that is there and asks for another in its place.
  func turnOver() throws {
    guard let slot = try reader.next(blocking: true) else {
      throw BenchmarkError(name: "reads", problem: "nothing is under way")
    }
    try submit(slot)
  }

  /// Compares what was read with what the page cache has, then goes on.
  func areRight() throws -> Bool {
    let handle = try FileHandle(forReadingFrom: URL(filePath: file.path))
    var isRight = true
    for _ in offsets.indices {
      guard let slot = try reader.next(blocking: true) else { return false }
      try handle.seek(toOffset: UInt64(offsets[slot]))
      let expected = try handle.read(upToCount: extentByteCount)
      let found = part(slot)
      isRight =
        unsafe isRight
        && expected == Data(bytes: found.pointer, count: found.count)
    }
    for slot in offsets.indices { try submit(slot) }
    return isRight
  }

  private func part(_ slot: Int) -> ByteView {
    memory.bytes.slice(slot * extentByteCount, count: extentByteCount)
  }

  private func submit(_ slot: Int) throws {
    let page = AlignedBuffer.pageByteCount
    let placeCount = (file.byteCount - extentByteCount) / page + 1
    offsets[slot] = Int(generator.next() % UInt64(placeCount)) * page
    let extent = FileExtent(
      fileIndex: 0, offset: offsets[slot], byteCount: extentByteCount)
    let target = part(slot)
    let parts: [1 of ReadPart] = [
      unsafe ReadPart(extent: extent, destination: target.pointer, capacity: target.count)
    ]
    try reader.submit(tag: slot, parts: parts.span)
  }
}
