import MoECache
import MoECore

/// The time of one chunk's experts in one layer, followed expert by expert as the engine works
/// them (`StepAdmission`).
///
/// A slot is asked for as far ahead as the step may hold slots, and its read goes to the disk's
/// queue at once; experts are computed in their order; each gives its slot to the next one that has
/// none. So with few slots the disk waits for computing, and computing for the disk, in turns.
struct ChunkPipeline {
  /// From the end of the layer's dense work to that of its last expert.
  private(set) var seconds = 0.0
  /// Nothing to compute until the disk delivered.
  private(set) var waitSeconds = 0.0
  private(set) var diskSeconds = 0.0

  private let step: RoutedStep
  private let disk: RunCosts.Disk
  private let expertByteCount: Int
  private var clock: Double
  /// When the last read that was asked for is done.
  private var diskEnd: Double
  /// (request): when it is in memory.
  private var readyTimes: [Double]
  private var next = 0
  private var claimCount: Int

  /// - Parameter earlySeconds: Dense work during which reads are already under way.
  init(_ step: RoutedStep, layer: RunCosts.Layer, disk: RunCosts.Disk, earlySeconds: Double) {
    self.step = step
    self.disk = disk
    expertByteCount = layer.expertByteCount
    clock = -earlySeconds
    diskEnd = clock
    readyTimes = Array(repeating: clock, count: step.requests.count)
    claimCount = step.requests.count(where: \.isKept)
    admit()
    compute(earlySeconds)
    for number in step.requests.indices {
      admit()
      let wait = max(0, readyTimes[number] - clock)
      waitSeconds += wait
      clock += wait
      if !step.requests[number].isHit { compute(layer.finishSeconds) }
      compute(layer.expert.seconds(Double(step.requests[number].wanted.tokenCount)))
      claimCount -= 1
    }
    seconds = clock
  }

  private mutating func admit() {
    while next < step.requests.count {
      if !step.requests[next].isKept {
        guard claimCount < step.limit else { return }
        claimCount += 1
        if !step.requests[next].isHit { read(next) }
      }
      next += 1
    }
  }

  /// Reads follow each other; the disk's latency passes while others before them are read.
  private mutating func read(_ number: Int) {
    let begin = max(diskEnd, clock + disk.latencySeconds)
    let duration =
      Double(expertByteCount) / (disk.bytesPerSecond * disk.chunkRateShare)
    diskSeconds += duration + begin - max(diskEnd, clock)
    diskEnd = begin + duration
    readyTimes[number] = diskEnd
  }

  /// While reads are under way computing is slower.
  private mutating func compute(_ duration: Double) {
    let reading = max(0, diskEnd - clock)
    let slow = duration * disk.chunkComputeSlowdown
    clock += slow <= reading ? slow : duration + reading * (1 - 1 / disk.chunkComputeSlowdown)
  }
}
