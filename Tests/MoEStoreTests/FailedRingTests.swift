import Foundation
import MoECore
import MoEPlatform
import MoEStore
import MoETestSupport
import Testing

/// After an error of the ring itself nobody knows what is under way in it.
@Suite struct FailedRingTests {
  @Test func aRingThatFailedReadsNoMoreEvenIfItCould() async throws {
    _ = try makeReader("ring", try TemporaryFiles([[1]]))
    // In a process of its own: its ring's descriptor is found, and exchanged.
    await #expect(processExitsWith: .success) {
      let files = try TemporaryFiles([patternedBytes(count: 100_000, seed: 1)])
      let ring = try RingBackend(OpenFiles(files.files), depth: 4)
      let descriptor = try #require(ringDescriptor())
      let kept = dup(descriptor)
      let nothing = unsafe open("/dev/null", O_RDWR)
      try #require(dup2(nothing, descriptor) == descriptor)
      let memory = try AlignedBuffer(byteCount: 8192)
      func request(_ tag: Int) -> StoreRequest {
        unsafe StoreRequest(
          fileIndex: 0, offset: 0, byteCount: 4096, destination: memory.baseAddress, tag: tag)
      }
      try unsafe withUnsafePointer(to: request(1)) { request in
        try unsafe ring.submit(UnsafeBufferPointer(start: request, count: 1))
      }
      let completions = UnsafeMutableBufferPointer<StoreCompletion>.allocate(capacity: 4)
      defer { unsafe completions.deallocate() }
      let error = try #require(throws: StoreError.self) {
        try unsafe ring.reap(into: completions, waiting: true)
      }
      guard case .backendFailed("ring", let code) = error, code != 0 else { exit(3) }
      // The ring works again, but holds a request that nobody waits for.
      try #require(dup2(kept, descriptor) == descriptor)
      #expect(throws: error) { try unsafe ring.reap(into: completions, waiting: false) }
      #expect(throws: error) {
        try unsafe withUnsafePointer(to: request(2)) { request in
          try unsafe ring.submit(UnsafeBufferPointer(start: request, count: 1))
        }
      }
    }
  }

  /// A disk that goes away with reads under way, and comes back.
  private final class ReturningBackend: StoreBackend {
    let disk: SimulatedBackend
    var isAway = false
    var registrationCount = 0

    init(_ contents: [[UInt8]]) {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 5
      disk = SimulatedBackend(contents: contents, seed: 1, faults: faults)
    }

    var name: String { disk.name }
    var alignment: Int { disk.alignment }
    var depth: Int { disk.depth }
    var report: String { disk.report }

    func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
      try unsafe disk.submit(requests)
    }

    func reap(
      into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
    ) throws(StoreError) -> Int {
      if isAway { throw .backendFailed(name: name, code: ENODEV) }
      return try unsafe disk.reap(into: completions, waiting: waiting)
    }

    func registerBuffers(_ regions: [ByteView]) { registrationCount += 1 }

    func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
      try disk.identity(ofFile: index)
    }
  }

  @Test func aReaderWhoseDiskCameBackStaysShut() throws {
    let contents = [patternedBytes(count: 50_000, seed: 1)]
    let backend = ReturningBackend(contents)
    let reader = try ExtentReader(
      backend: backend, files: [StoreFile(path: "file", byteCount: 50_000)])
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 0, byteCount: 50_000)], reader.placement)
    try buffer.submit(to: reader, tag: 1)
    backend.isAway = true
    let error = StoreError.backendFailed(name: "simulated", code: ENODEV)
    #expect(throws: error) { try reader.next(blocking: true) }
    let requestCount = reader.counters.requestCount
    backend.isAway = false
    #expect(throws: error) { try reader.next(blocking: false) }
    #expect(throws: error) { try buffer.submit(to: reader, tag: 2) }
    #expect(throws: error) { try buffer.read(with: reader) }
    #expect(throws: error) { try reader.promote(tag: 1) }
    #expect(throws: error) { try reader.verifyUnchanged() }
    reader.registerBuffers([buffer.memory.bytes(count: buffer.memory.byteCount)])
    #expect(backend.registrationCount == 0)
    #expect(reader.counters.requestCount == requestCount)
  }
}

/// The process's one ring.
private func ringDescriptor() -> Int32? {
  (3..<100 as Range<Int32>).first {
    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    return target?.contains("io_uring") == true
  }
}
