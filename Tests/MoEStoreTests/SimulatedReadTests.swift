import MoECore
import MoEStore
import MoETestSupport
import Testing

/// Random schedules of a reader over a disk that misbehaves: every byte right, or a clear error.
@Suite struct SimulatedReadTests {
  /// A reader, its simulated disk, and what was asked of it.
  final class Schedule {
    let contents: [[UInt8]]
    let disk: SimulatedBackend
    let reader: ExtentReader
    var generator: SeededGenerator
    var pending: [Int: (buffer: PartBuffer, priority: ReadPriority)] = [:]
    var cancelledCount = 0
    var takenCount = 0
    private var lastTag = 0

    init(seed: UInt64, faults: SimulatedBackend.Faults) throws {
      var generator = SeededGenerator(seed: seed)
      let contents = (0..<2).map { index in
        patternedBytes(
          count: Int.random(in: 1...20_000, using: &generator), seed: seed &* 2 &+ UInt64(index))
      }
      let alignment = [1, 512, 4096][Int.random(in: 0..<3, using: &generator)]
      var limits = ExtentReader.Limits()
      limits.depth = Int.random(in: 1...9, using: &generator)
      limits.prefetchDepth = Int.random(in: 1...9, using: &generator)
      limits.maxRequestByteCount = 4096 * Int.random(in: 1...3, using: &generator)
      limits.tagCapacity = 12
      limits.partCapacity = 40
      limits.pauseNanoseconds = 0
      let disk = SimulatedBackend(
        contents: contents, alignment: alignment, depth: 8, seed: seed &+ 1, faults: faults)
      self.contents = contents
      self.disk = disk
      self.generator = generator
      reader = try ExtentReader(
        backend: disk,
        files: contents.enumerated().map { StoreFile(path: "file-\($0)", byteCount: $1.count) },
        limits: limits)
    }

    /// One random operation; what comes back is checked at once, while other reads go on.
    func step() throws {
      switch Int.random(in: 0..<10, using: &generator) {
      case 0..<4 where pending.count < 12: try submit()
      case 4: try withdraw()
      case 5:
        if let tag = pending.keys.sorted().randomElement(using: &generator) {
          try reader.promote(tag: tag)
        }
      case 6:
        let buffer = try PartBuffer(extents(upTo: 60), reader.placement)
        try buffer.read(with: reader)
        #expect(buffer.holds(contents))
      default: try take(blocking: Bool.random(using: &generator))
      }
    }

    func finish() throws {
      while try take(blocking: true) {}
      #expect(pending.isEmpty)
      #expect(reader.pendingTagCount == 0)
      #expect(disk.inFlightCount == 0)
    }

    private func submit() throws {
      lastTag += 1
      let priority = Bool.random(using: &generator) ? ReadPriority.demand : .prefetch
      let buffer = try PartBuffer(extents(upTo: 3), reader.placement)
      pending[lastTag] = (buffer, priority)
      try buffer.submit(to: reader, tag: lastTag, priority: priority)
    }

    private func withdraw() throws {
      let prefetches = pending.filter { $0.value.priority == .prefetch }.keys.sorted()
      guard let tag = prefetches.randomElement(using: &generator) else { return }
      guard reader.cancel(tag: tag) else { return }
      pending[tag] = nil
      cancelledCount += 1
    }

    @discardableResult private func take(blocking: Bool) throws -> Bool {
      guard let tag = try reader.next(blocking: blocking) else { return false }
      let entry = try #require(pending[tag], "tag \(tag) came unasked")
      pending[tag] = nil
      #expect(entry.buffer.holds(contents))
      #expect(entry.buffer.isUntouchedBetweenParts)
      takenCount += 1
      return true
    }

    private func extents(upTo count: Int) -> [FileExtent] {
      randomExtents(
        count: Int.random(in: 0...count, using: &generator), in: contents.map(\.count),
        byteCountMax: 9000, using: &generator)
    }
  }

  /// Runs a schedule to its end; returns the error it ended with, if any.
  private func run(_ schedule: Schedule, stepCount: Int = 60) throws -> StoreError? {
    do {
      for _ in 0..<stepCount { try schedule.step() }
      try schedule.finish()
      return nil
    } catch let error as StoreError {
      return error
    }
  }

  private func checkFailedState(_ schedule: Schedule, _ error: StoreError) throws {
    #expect(schedule.reader.failure == error)
    #expect(schedule.disk.inFlightCount == 0)
    #expect(throws: error) { try schedule.reader.next(blocking: true) }
    #expect(throws: error) { try schedule.reader.verifyUnchanged() }
    let buffer = try PartBuffer([], schedule.reader.placement)
    #expect(throws: error) { try buffer.submit(to: schedule.reader, tag: 1) }
    #expect(throws: error) { try buffer.read(with: schedule.reader) }
    #expect(throws: error) { try schedule.reader.promote(tag: 1) }
  }

  @Test func everyByteIsRightWhateverTheOrder() throws {
    for seed: UInt64 in 0..<500 {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 20
      let schedule = try Schedule(seed: seed, faults: faults)
      #expect(try run(schedule) == nil, "seed \(seed)")
      #expect(schedule.disk.violations.isEmpty, "seed \(seed): \(schedule.disk.violations)")
      #expect(schedule.reader.counters.retryCount == 0, "seed \(seed)")
    }
  }

  @Test func shortReadsAndTransientErrorsChangeNothing() throws {
    var cancelledCount = 0
    for seed: UInt64 in 0..<1000 {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 1 + Int(seed % 12)
      faults.shortRead = 0.3
      faults.interrupted = 0.1
      faults.again = 0.1
      let schedule = try Schedule(seed: seed, faults: faults)
      #expect(try run(schedule) == nil, "seed \(seed)")
      #expect(schedule.disk.violations.isEmpty, "seed \(seed): \(schedule.disk.violations)")
      cancelledCount += schedule.cancelledCount
    }
    #expect(cancelledCount > 50)
  }

  @Test func diskErrorsEndInAStateThatStays() throws {
    var failedCount = 0
    for seed: UInt64 in 0..<500 {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 8
      faults.shortRead = 0.1
      faults.inputOutputError = 0.01
      let schedule = try Schedule(seed: seed, faults: faults)
      let error = try run(schedule)
      #expect(schedule.disk.violations.isEmpty, "seed \(seed): \(schedule.disk.violations)")
      guard let error else { continue }
      failedCount += 1
      guard case .readFailed(_, _, _, 5) = error else {
        Issue.record("seed \(seed): \(error)")
        continue
      }
      try checkFailedState(schedule, error)
    }
    #expect(failedCount > 50 && failedCount < 500)
  }

  @Test func aTruncatedFileIsAnErrorAndNeverWrongBytes() throws {
    var failedCount = 0
    for seed: UInt64 in 0..<500 {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 4
      faults.shortRead = 0.2
      faults.truncation = SimulatedBackend.Truncation(
        fileIndex: Int(seed % 2), byteCount: Int(seed &* 7 % 10_000),
        afterCompletionCount: Int(seed % 50))
      let schedule = try Schedule(seed: seed, faults: faults)
      let error = try run(schedule)
      #expect(schedule.disk.violations.isEmpty, "seed \(seed): \(schedule.disk.violations)")
      guard let error else { continue }
      failedCount += 1
      guard case .fileTruncated(let path, _, _) = error else {
        Issue.record("seed \(seed): \(error)")
        continue
      }
      #expect(path == "file-\(seed % 2)")
      try checkFailedState(schedule, error)
    }
    #expect(failedCount > 150)
  }

  @Test func aChangedFileIsNoticed() throws {
    for touched in [0, 1] {
      var faults = SimulatedBackend.Faults()
      faults.touch = (fileIndex: touched, afterCompletionCount: 1)
      let schedule = try Schedule(seed: 3, faults: faults)
      try schedule.reader.verifyUnchanged()
      let buffer = try PartBuffer(
        [FileExtent(fileIndex: 0, offset: 0, byteCount: 1)], schedule.reader.placement)
      try buffer.read(with: schedule.reader)
      let error = #expect(throws: StoreError.self) { try schedule.reader.verifyUnchanged() }
      guard case .fileChanged("file-\(touched)", _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      try checkFailedState(schedule, try #require(error))
    }
  }

  @Test func theSameSeedGivesTheSameRun() throws {
    func trace() throws -> ([Int], ExtentReader.Counters) {
      var faults = SimulatedBackend.Faults()
      faults.delayStepsMax = 9
      faults.shortRead = 0.3
      faults.again = 0.2
      let schedule = try Schedule(seed: 42, faults: faults)
      #expect(try run(schedule) == nil)
      var counters = schedule.reader.counters
      counters.waitNanoseconds = 0
      return (schedule.disk.submittedOffsets, counters)
    }
    let (first, second) = (try trace(), try trace())
    #expect(first.0 == second.0)
    #expect(first.1 == second.1)
    #expect(first.1.retryCount > 0)
  }

  @Test func flippedBitsAreRecordedForWhoeverChecksTheBytes() throws {
    var faults = SimulatedBackend.Faults()
    faults.corruption = 1
    let contents = [patternedBytes(count: 4096, seed: 1)]
    let disk = SimulatedBackend(contents: contents, seed: 5, faults: faults)
    let reader = try ExtentReader(
      backend: disk, files: [StoreFile(path: "file", byteCount: 4096)])
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 0, byteCount: 4096)], reader.placement)
    try buffer.read(with: reader)
    let bytes = buffer.bytes(ofPart: 0)
    let different = bytes.indices.filter { bytes[$0] != contents[0][$0] }
    #expect(different == disk.corruptions.map(\.offset))
    #expect(different.count == 1)
  }
}
