import MoECore

/// Copies of a model's files on several disks, and which of them a read goes to.
///
/// A read goes to the disk that will answer first: the one with the least time for the bytes it has
/// been asked for and this read, at the pace it has shown. So disks of one speed share the work,
/// and a slower one gets its share. A copy that cannot be read, or is so slow that waiting for it
/// would cost more than it brings, is left out from then on.
struct CopyChoice {
  /// One disk with a copy of all files.
  private struct Disk {
    var pendingByteCount = 0
    /// When it was last asked with nothing pending.
    var busySince: UInt64 = 0
    /// Bytes that came and the time it was busy, older ones counting less.
    var byteCount = 0.0
    var nanoseconds = 0.0
    var completionCount = 0
    var isLeftOut = false

    /// Nil before it has shown any.
    var nanosecondsPerByte: Double? { byteCount > 0 ? nanoseconds / byteCount : nil }
  }

  private var disks: [Disk]
  /// Why copies were left out, for the report of a run.
  private(set) var notes: [String] = []

  /// A copy slower than the best by this factor is left out, after so many answers.
  private static let slownessMax = 16.0
  private static let trialCount = 64
  /// What was measured counts half as much after every so many bytes.
  private static let memoryByteCount = 64e6

  init(diskCount: Int) { disks = Array(repeating: Disk(), count: diskCount) }

  var diskCount: Int { disks.count }

  /// The disk for a read of some bytes, which is asked now.
  mutating func take(byteCount: Int) -> Int {
    if disks.count == 1 { return 0 }
    var (best, bestTime) = (0, Double.infinity)
    let usual = disks.compactMap(\.nanosecondsPerByte).min() ?? 1
    for (number, disk) in disks.enumerated() where !disk.isLeftOut {
      // One that has shown no pace yet is taken to be as fast as the fastest.
      let pace = disk.nanosecondsPerByte ?? usual
      let time = Double(disk.pendingByteCount + byteCount) * pace
      if time < bestTime { (best, bestTime) = (number, time) }
    }
    if disks[best].pendingByteCount == 0 { disks[best].busySince = MonotonicClock.nanoseconds() }
    disks[best].pendingByteCount += byteCount
    return best
  }

  /// A read of so many bytes has ended, of which some came.
  mutating func give(back asked: Int, came: Int, from number: Int) {
    if disks.count == 1 { return }
    let now = MonotonicClock.nanoseconds()
    disks[number].pendingByteCount -= asked
    disks[number].nanoseconds += Double(now - disks[number].busySince)
    disks[number].byteCount += Double(came)
    disks[number].completionCount += 1
    disks[number].busySince = now
    if disks[number].byteCount > Self.memoryByteCount {
      disks[number].byteCount /= 2
      disks[number].nanoseconds /= 2
    }
  }

  /// Nothing is under way any more.
  mutating func forgetPending() {
    for number in disks.indices { disks[number].pendingByteCount = 0 }
  }

  /// Leaves a copy out that failed; false where no other is left.
  mutating func leaveOut(_ number: Int, because reason: String) -> Bool {
    guard disks.indices.contains(where: { $0 != number && !disks[$0].isLeftOut }) else {
      return false
    }
    if !disks[number].isLeftOut { notes.append(reason) }
    disks[number].isLeftOut = true
    return true
  }

  /// The copy that is too slow by now, and how many times slower than the best; nil where none is.
  func tooSlow() -> (number: Int, factor: Int)? {
    let used = disks.indices.filter { !disks[$0].isLeftOut }
    guard used.count > 1, let best = used.compactMap({ disks[$0].nanosecondsPerByte }).min() else {
      return nil
    }
    for number in used where disks[number].completionCount >= Self.trialCount {
      guard let pace = disks[number].nanosecondsPerByte, pace > best * Self.slownessMax else {
        continue
      }
      return (number, Int(pace / best))
    }
    return nil
  }
}
