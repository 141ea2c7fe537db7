import Glibc
import MoECore
import MoEPlatform
import MoEStore
import MoETestSupport

/// A simulated disk behind an interface that has moods of its own: waits that signals interrupt, a
/// device that goes away, files that others write to, and an end to patience.
///
/// A run that would never end calls `reap` for ever; after `stepLimit` calls it gets an error that
/// nothing else gives, and the test fails instead of hanging.
final class UnsteadyBackend: StoreBackend {
  struct Moods: Sendable {
    /// How often a wait comes back with nothing, from 0 to 1.
    var interruptedWait = 0.0
    /// After how many calls of `submit` the whole device refuses every call.
    var submitCountMax: Int?
    /// Bytes of a file that are read after some requests have completed are others than before.
    var overwriting: (fileIndex: Int, afterCompletionCount: Int)?
    var stepLimit = 500_000
  }

  static let deviceCode = ENODEV
  static let hangCode = ETIMEDOUT

  let disk: SimulatedBackend
  private let moods: Moods
  private var generator: SeededGenerator
  private var submitCount = 0
  private var stepCount = 0
  /// (tag): requests to the file that is overwritten.
  private var overwritten: [Int: StoreRequest] = [:]

  init(_ disk: SimulatedBackend, moods: Moods, seed: UInt64) {
    self.disk = disk
    self.moods = moods
    generator = SeededGenerator(seed: seed)
  }

  var name: String { disk.name }
  var alignment: Int { disk.alignment }
  var depth: Int { disk.depth }
  var report: String { disk.report }
  var isHanging: Bool { stepCount >= moods.stepLimit }
  private var isGone: Bool { moods.submitCountMax.map { submitCount > $0 } ?? false }

  func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
    submitCount += 1
    if isGone { throw .backendFailed(name: name, code: Self.deviceCode) }
    for index in requests.indices {
      let request = unsafe requests[index]
      overwritten[request.tag] =
        request.fileIndex == moods.overwriting?.fileIndex ? request : nil
    }
    try unsafe disk.submit(requests)
  }

  func reap(
    into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int {
    stepCount += 1
    if isHanging { throw .backendFailed(name: name, code: Self.hangCode) }
    if waiting && generator.nextUnit() < moods.interruptedWait { return 0 }
    let count = try unsafe disk.reap(into: completions, waiting: waiting)
    if let overwriting = moods.overwriting,
      disk.completionCount >= overwriting.afterCompletionCount
    {
      for index in 0..<count { overwrite(unsafe completions[index]) }
    }
    return count
  }

  private func overwrite(_ completion: StoreCompletion) {
    guard let request = overwritten[completion.tag] else { return }
    for offset in 0..<max(completion.result, 0) {
      let byte = unsafe request.destination.load(fromByteOffset: offset, as: UInt8.self)
      unsafe request.destination.storeBytes(of: ~byte, toByteOffset: offset, as: UInt8.self)
    }
  }

  func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
    try disk.identity(ofFile: index)
  }
}
