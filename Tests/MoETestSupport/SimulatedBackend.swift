package import MoEStore
package import MoECore
package import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Files in memory behind a disk that misbehaves on purpose, the same way for the same seed.
///
/// Requests complete late and out of order, short, interrupted or with errors. Memory of a request
/// under way is overwritten with noise at submission, as a device may write to it at any moment, so
/// a reader that hands out memory too early is caught. What breaks the contract of `StoreBackend`
/// is collected in `violations`.
@safe package final class SimulatedBackend: StoreBackend {
  /// How likely each thing is, per completion, from 0 to 1.
  package struct Faults: Sendable {
    package var shortRead = 0.0
    /// EINTR.
    package var interrupted = 0.0
    /// EAGAIN.
    package var again = 0.0
    /// EIO.
    package var inputOutputError = 0.0
    /// One bit of what was read is flipped, silently; `corruptions` tells where.
    package var corruption = 0.0
    /// Requests take from one to this many steps; a step is one call of `reap`.
    package var delayStepsMax = 1
    /// A file that loses its end after some requests have completed.
    package var truncation: Truncation?
    /// A file whose modification time moves after some requests have completed.
    package var touch: (fileIndex: Int, afterCompletionCount: Int)?

    package init() {}
  }

  package struct Truncation: Sendable {
    package var fileIndex: Int
    package var byteCount: Int
    package var afterCompletionCount: Int

    package init(fileIndex: Int, byteCount: Int, afterCompletionCount: Int) {
      self.fileIndex = fileIndex
      self.byteCount = byteCount
      self.afterCompletionCount = afterCompletionCount
    }
  }

  package let name = "simulated"
  package let alignment: Int
  package let depth: Int
  package let report = "simulated: a disk that misbehaves by seed"
  /// What the reader did that the contract forbids.
  package private(set) var violations: [String] = []
  /// Places of flipped bits: a caller that checks its bytes must notice every one it uses.
  package private(set) var corruptions: [FileExtent] = []
  package private(set) var completionCount = 0
  /// Requests under way.
  package var inFlightCount: Int { inFlight.count }
  /// File offsets in the order in which they were submitted.
  package private(set) var submittedOffsets: [Int] = []

  private struct Delayed {
    var request: StoreRequest
    var readyStep: Int
  }

  private let contents: [[UInt8]]
  private var byteCounts: [Int]
  private let faults: Faults
  private var generator: SeededGenerator
  private var inFlight: [Delayed] = []
  private var step = 0

  package init(
    contents: [[UInt8]], alignment: Int = 512, depth: Int = 8, seed: UInt64,
    faults: Faults = Faults()
  ) {
    self.contents = contents
    self.alignment = alignment
    self.depth = depth
    self.faults = faults
    byteCounts = contents.map(\.count)
    generator = SeededGenerator(seed: seed)
  }

  package func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
    for index in requests.indices {
      let request = unsafe requests[index]
      check(request)
      submittedOffsets.append(request.offset)
      unsafe request.destination.initializeMemory(
        as: UInt8.self, repeating: UInt8.random(in: 0...255, using: &generator),
        count: request.byteCount)
      let delay = Int.random(in: 1...max(faults.delayStepsMax, 1), using: &generator)
      inFlight.append(Delayed(request: request, readyStep: step + delay))
    }
  }

  package func reap(
    into target: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int {
    step += 1
    if waiting {
      if inFlight.isEmpty { violations.append("waited with nothing under way") }
      step = max(step, inFlight.map(\.readyStep).min() ?? step)
    }
    var count = 0
    while count < target.count {
      let ready = inFlight.indices.filter { inFlight[$0].readyStep <= step }
      guard let chosen = ready.randomElement(using: &generator) else { break }
      let request = inFlight.remove(at: chosen).request
      unsafe target[count] = StoreCompletion(tag: request.tag, result: complete(request))
      count += 1
      completionCount += 1
    }
    return count
  }

  package func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
    applyTruncation()
    var identity = FileIdentity(byteCount: byteCounts[index])
    if let touch = faults.touch, touch.fileIndex == index,
      completionCount >= touch.afterCompletionCount
    {
      identity.modifiedNanoseconds = 1
    }
    return identity
  }

  private func complete(_ request: StoreRequest) -> Int {
    applyTruncation()
    if happens(faults.inputOutputError) { return -Int(EIO) }
    if happens(faults.interrupted) { return -Int(EINTR) }
    if happens(faults.again) { return -Int(EAGAIN) }
    let available = max(byteCounts[request.fileIndex] - request.offset, 0)
    var count = min(request.byteCount, available)
    if count > 1 && happens(faults.shortRead) {
      count = Int.random(in: 1..<count, using: &generator)
    }
    unsafe contents[request.fileIndex].withUnsafeBytes { bytes in
      guard count > 0, let base = bytes.baseAddress else { return }
      unsafe request.destination.copyMemory(from: base + request.offset, byteCount: count)
    }
    if count > 0 && happens(faults.corruption) { flipBit(of: request, in: count) }
    return count
  }

  private func flipBit(of request: StoreRequest, in count: Int) {
    let place = Int.random(in: 0..<count, using: &generator)
    let byte = unsafe request.destination.load(fromByteOffset: place, as: UInt8.self)
    unsafe request.destination.storeBytes(of: byte ^ 0x10, toByteOffset: place, as: UInt8.self)
    corruptions.append(
      FileExtent(fileIndex: request.fileIndex, offset: request.offset + place, byteCount: 1))
  }

  private func applyTruncation() {
    guard let truncation = faults.truncation,
      completionCount >= truncation.afterCompletionCount
    else { return }
    byteCounts[truncation.fileIndex] = min(
      byteCounts[truncation.fileIndex], truncation.byteCount)
  }

  private func happens(_ likelihood: Double) -> Bool {
    likelihood > 0 && generator.nextUnit() < likelihood
  }

  private func check(_ request: StoreRequest) {
    let start = unsafe Int(bitPattern: request.destination)
    let end = start + request.byteCount
    if request.offset % alignment != 0 || request.byteCount % alignment != 0
      || start % alignment != 0
    {
      violations.append("not aligned: \(request.byteCount) bytes at \(request.offset)")
    }
    if request.byteCount <= 0 { violations.append("an empty request") }
    if inFlight.count >= depth { violations.append("more than \(depth) requests under way") }
    for other in inFlight.map(\.request) {
      let otherStart = unsafe Int(bitPattern: other.destination)
      if start < otherStart + other.byteCount && otherStart < end {
        violations.append("requests overlap in memory at file offset \(request.offset)")
      }
      if other.tag == request.tag { violations.append("tag \(request.tag) is under way twice") }
    }
  }
}
