import MoECore
import MoEPlatform
import MoEStore
import MoETestSupport
import Testing

/// Reading from several copies of the same files.
@Suite struct MirrorTests {
  /// Counts the requests to each file, and answers some with an error.
  private final class CountingBackend: StoreBackend {
    let inner: MemoryBackend
    var requestCounts: [Int]
    /// Of these files every read fails.
    var failing: Set<Int> = []
    private var failed: [StoreCompletion] = []

    var name: String { inner.name }
    var alignment: Int { inner.alignment }
    var depth: Int { inner.depth }
    var report: String { inner.report }

    init(_ contents: [[UInt8]]) {
      inner = MemoryBackend(contents: contents, depth: 8)
      requestCounts = Array(repeating: 0, count: contents.count)
    }

    func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
      for index in requests.indices {
        let request = unsafe requests[index]
        requestCounts[request.fileIndex] += 1
        if failing.contains(request.fileIndex) {
          failed.append(StoreCompletion(tag: request.tag, result: -5))
        } else {
          try unsafe inner.submit(UnsafeBufferPointer(rebasing: requests[index...index]))
        }
      }
    }

    func reap(
      into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
    ) throws(StoreError) -> Int {
      if let last = failed.popLast() {
        unsafe completions[0] = last
        return 1
      }
      return try unsafe inner.reap(into: completions, waiting: waiting)
    }

    func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
      try inner.identity(ofFile: index)
    }
  }

  private static let contents = [
    patternedBytes(count: 300_000, seed: 1), patternedBytes(count: 90_000, seed: 2),
  ]

  private static func files(_ name: String) -> [StoreFile] {
    contents.enumerated().map { StoreFile(path: "\(name)-\($0)", byteCount: $1.count) }
  }

  private func reader(_ backend: any StoreBackend, mirrorCount: Int) throws -> ExtentReader {
    var limits = ExtentReader.Limits()
    limits.maxRequestByteCount = 4096
    return try ExtentReader(
      backend: backend, files: Self.files("own"),
      mirrors: (0..<mirrorCount).map { Self.files("mirror-\($0)") }, limits: limits)
  }

  private func readAll(with reader: ExtentReader) throws -> PartBuffer {
    let buffer = try PartBuffer(
      Self.contents.enumerated().map {
        FileExtent(fileIndex: $0, offset: 0, byteCount: $1.count)
      }, reader.placement)
    try buffer.read(with: reader)
    return buffer
  }

  @Test(arguments: [1, 2]) func copiesShareTheReads(mirrorCount: Int) throws {
    let backend = CountingBackend(
      Array(repeating: Self.contents, count: 1 + mirrorCount).flatMap { $0 })
    let reader = try reader(backend, mirrorCount: mirrorCount)
    #expect(try readAll(with: reader).holds(Self.contents))
    #expect(backend.requestCounts.allSatisfy { $0 > 0 })
    #expect(reader.report.contains("from \(1 + mirrorCount) copies"))
  }

  @Test(arguments: [0, 1]) func aCopyThatFailsIsLeftOutWithANote(copy: Int) throws {
    let backend = CountingBackend(Self.contents + Self.contents)
    backend.failing = [2 * copy, 2 * copy + 1]
    let reader = try reader(backend, mirrorCount: 1)
    #expect(try readAll(with: reader).holds(Self.contents))
    #expect(reader.report.contains("a copy is left out"))
    #expect(reader.report.contains(copy == 0 ? "own-" : "mirror-0-"))
    // From then on it is not asked.
    let count = backend.requestCounts[2 * copy]
    #expect(try readAll(with: reader).holds(Self.contents))
    #expect(backend.requestCounts[2 * copy] == count)
  }

  @Test func whereAllCopiesFailTheErrorIsThatOfTheLast() throws {
    let backend = CountingBackend(Self.contents + Self.contents)
    backend.failing = [0, 1, 2, 3]
    let reader = try reader(backend, mirrorCount: 1)
    #expect(throws: StoreError.self) { try readAll(with: reader) }
  }

  @Test func aCopyWithAnotherEndIsLeftOut() throws {
    let short = Self.contents.map { Array($0.prefix(1000)) }
    let backend = SimulatedBackend(contents: Self.contents + short, seed: 1)
    let reader = try reader(backend, mirrorCount: 1)
    #expect(try readAll(with: reader).holds(Self.contents))
    #expect(backend.violations.isEmpty)
  }

  /// Random delays, short and interrupted reads on several copies: every byte is right.
  @Test func everyByteIsRightWhateverDisksDo() throws {
    for seed in UInt64(1)...40 {
      var faults = SimulatedBackend.Faults()
      (faults.shortRead, faults.interrupted, faults.again) = (0.2, 0.1, 0.1)
      faults.delayStepsMax = 9
      let backend = SimulatedBackend(
        contents: Self.contents + Self.contents + Self.contents, seed: seed, faults: faults)
      let reader = try reader(backend, mirrorCount: 2)
      #expect(try readAll(with: reader).holds(Self.contents), "seed \(seed)")
      #expect(backend.violations.isEmpty, "seed \(seed)")
    }
  }
}
