import MoECore
import MoEStore
import MoETestSupport
import Testing

/// The reader's policy, one rule at a time, on a simulated disk.
@Suite struct ExtentReaderTests {
  private let contents = [patternedBytes(count: 64 << 10, seed: 1)]
  private let files = [StoreFile(path: "file", byteCount: 64 << 10)]

  private func limits(
    depth: Int = 4, _ change: (inout ExtentReader.Limits) -> Void = { _ in }
  ) -> ExtentReader.Limits {
    var limits = ExtentReader.Limits()
    limits.depth = depth
    limits.maxRequestByteCount = 4096
    limits.pauseNanoseconds = 0
    change(&limits)
    return limits
  }

  private func extent(_ offset: Int, _ byteCount: Int) -> FileExtent {
    FileExtent(fileIndex: 0, offset: offset, byteCount: byteCount)
  }

  @Test func sendsDemandBeforePrefetchThatCameFirst() throws {
    let disk = SimulatedBackend(contents: contents, depth: 1, seed: 1)
    let reader = try ExtentReader(backend: disk, files: files, limits: limits(depth: 1))
    let buffer = try PartBuffer((0..<4).map { extent($0 * 4096, 4096) }, reader.placement)
    try buffer.submit(to: reader, tag: 0, 0..<1, priority: .prefetch)
    try buffer.submit(to: reader, tag: 1, 1..<2, priority: .prefetch)
    try buffer.submit(to: reader, tag: 2, 2..<3, priority: .prefetch)
    try buffer.submit(to: reader, tag: 3, 3..<4)
    try reader.promote(tag: 2)
    var tags: [Int] = []
    while let tag = try reader.next(blocking: true) { tags.append(tag) }
    // The first was under way before the demand came.
    #expect(tags == [0, 3, 2, 1])
  }

  @Test func leavesRoomForDemandBesidePrefetch() throws {
    var faults = SimulatedBackend.Faults()
    faults.delayStepsMax = 50
    let disk = SimulatedBackend(contents: contents, depth: 4, seed: 1, faults: faults)
    let reader = try ExtentReader(
      backend: disk, files: files, limits: limits { $0.prefetchDepth = 3 })
    let buffer = try PartBuffer((0..<9).map { extent($0 * 4096, 4096) }, reader.placement)
    for index in 0..<8 {
      try buffer.submit(to: reader, tag: index, index..<index + 1, priority: .prefetch)
    }
    #expect(disk.inFlightCount == 3)
    try buffer.submit(to: reader, tag: 8, 8..<9)
    #expect(disk.inFlightCount == 4)
    #expect(disk.submittedOffsets.last == 8 * 4096)
    // Memory must outlive the reads that are under way.
    withExtendedLifetime(buffer) { reader.drain() }
  }

  @Test func cancelsOnlyPrefetchOfWhichNothingWasSent() throws {
    let disk = SimulatedBackend(contents: contents, depth: 1, seed: 1)
    let reader = try ExtentReader(backend: disk, files: files, limits: limits(depth: 1))
    let buffer = try PartBuffer((0..<4).map { extent($0 * 8192, 8192) }, reader.placement)
    try buffer.submit(to: reader, tag: 0, 0..<1, priority: .prefetch)
    try buffer.submit(to: reader, tag: 1, 1..<3, priority: .prefetch)
    try buffer.submit(to: reader, tag: 2, 3..<4)
    #expect(!reader.cancel(tag: 0))
    #expect(reader.cancel(tag: 1))
    #expect(!reader.cancel(tag: 1))
    #expect(!reader.cancel(tag: 2))
    #expect(!reader.cancel(tag: 99))
    var tags: Set<Int> = []
    while let tag = try reader.next(blocking: true) { tags.insert(tag) }
    #expect(tags == [0, 2])
    #expect(!disk.submittedOffsets.contains(8192))
  }

  @Test func mergesPartsThatTouchInTheFileAndInMemory() throws {
    let disk = SimulatedBackend(contents: contents, alignment: 512, depth: 4, seed: 1)
    let reader = try ExtentReader(
      backend: disk, files: files, limits: limits { $0.maxRequestByteCount = 1 << 16 })
    let buffer = try PartBuffer(
      [
        // These three follow each other in both.
        extent(100, 3996), extent(4096, 8192), extent(12_288, 10),
        // This one follows in memory only.
        extent(20_480, 100),
      ], reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(contents))
    #expect(disk.submittedOffsets == [0, 20_480])
    #expect(reader.counters.readByteCount == 12_288 + 512 + 512)
  }

  @Test func cutsAnExtentIntoEqualRequests() throws {
    let disk = SimulatedBackend(contents: contents, alignment: 512, depth: 4, seed: 1)
    let reader = try ExtentReader(backend: disk, files: files, limits: limits())
    let buffer = try PartBuffer([extent(512, 4608)], reader.placement)
    try buffer.read(with: reader)
    #expect(disk.submittedOffsets == [512, 512 + 2560])
    #expect(reader.counters.requestCount == 2)
  }

  @Test func givesUpAfterBoundedTriesAndNamesTheError() throws {
    var faults = SimulatedBackend.Faults()
    faults.again = 1
    let disk = SimulatedBackend(contents: contents, seed: 1, faults: faults)
    let reader = try ExtentReader(
      backend: disk, files: files, limits: limits { $0.attemptCountMax = 9 })
    let buffer = try PartBuffer([extent(600, 50)], reader.placement)
    let expected = StoreError.retriesExhausted(
      path: "file", offset: 512, byteCount: 138, code: 11, count: 9)
    #expect(throws: expected) { try buffer.read(with: reader) }
    #expect(disk.completionCount == 9)
    #expect(expected.description.contains("Resource temporarily unavailable"))
  }

  @Test func refusesExtentsOutsideTheirFileAndGoesOn() throws {
    let disk = SimulatedBackend(contents: contents, seed: 1)
    let reader = try ExtentReader(backend: disk, files: files, limits: limits())
    let memory = try AlignedBuffer(byteCount: 4096)
    let wrong = [
      extent(64 << 10, 1), extent(-1, 1), extent(0, -1), extent(1, 64 << 10),
      extent(Int.max, 1), extent(1, Int.max), FileExtent(fileIndex: 1, offset: 0, byteCount: 1),
      FileExtent(fileIndex: -1, offset: 0, byteCount: 1),
    ]
    for extent in wrong {
      let parts = [
        unsafe ReadPart(extent: extent, destination: memory.baseAddress, capacity: 4096)
      ]
      let error = #expect(throws: StoreError.self) {
        try reader.submit(tag: 0, parts: parts.span)
      }
      guard case .extentOutsideFile = error, let error else {
        Issue.record("\(extent): \(String(describing: error))")
        continue
      }
      #expect(throws: error) { try reader.read(parts.span) }
    }
    let buffer = try PartBuffer([extent(65_000, 536)], reader.placement)
    try buffer.submit(to: reader, tag: 1)
    #expect(try reader.next(blocking: true) == 1)
    #expect(buffer.holds(contents))
  }

  @Test func refusesMoreThanItWasMadeForAndGoesOn() throws {
    let disk = SimulatedBackend(contents: contents, depth: 1, seed: 1)
    let reader = try ExtentReader(
      backend: disk, files: files,
      limits: limits(depth: 1) {
        $0.tagCapacity = 3
        $0.partCapacity = 4
      })
    let buffer = try PartBuffer((0..<6).map { extent($0 * 8192, 100) }, reader.placement)
    #expect(throws: StoreError.backlogFull(limit: 4, of: "parts")) {
      try buffer.submit(to: reader, tag: 0, 0..<5)
    }
    for tag in 0..<3 { try buffer.submit(to: reader, tag: tag, tag..<tag + 1) }
    let full = StoreError.backlogFull(limit: 3, of: "tags")
    #expect(throws: full) { try buffer.submit(to: reader, tag: 3, 3..<4) }
    #expect(try reader.next(blocking: true) != nil)
    try buffer.submit(to: reader, tag: 3, 3..<4)
    // Completed tags that nobody took count as well.
    reader.registerBuffers([])
    for tag in 0..<3 { try buffer.submit(to: reader, tag: tag, 0..<0) }
    #expect(throws: full) { try buffer.submit(to: reader, tag: 3, 0..<0) }
  }

  @Test func refusesLimitsOutOfRange() throws {
    let changes: [(inout ExtentReader.Limits) -> Void] = [
      { $0.depth = 0 }, { $0.depth = 5000 }, { $0.maxRequestByteCount = 0 },
      { $0.maxRequestByteCount = 4097 }, { $0.tagCapacity = 0 }, { $0.partCapacity = -1 },
      { $0.attemptCountMax = 0 }, { $0.pauseNanoseconds = -1 },
    ]
    for change in changes {
      let error = #expect(throws: StoreError.self) {
        _ = try ExtentReader(
          backend: SimulatedBackend(contents: contents, seed: 1), files: files,
          limits: limits(change))
      }
      guard case .invalidSetting = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test func placementFor4096BoundsThatForSmallerAlignments() {
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<1000 {
      let extent = extent(
        Int.random(in: 0...1 << 30, using: &generator),
        Int.random(in: 1...1 << 20, using: &generator))
      let bound = ReadPlacement(alignment: 4096).slotByteCount(for: extent)
      for alignment in [1, 512, 1024, 2048] {
        let placement = ReadPlacement(alignment: alignment)
        #expect(placement.slotByteCount(for: extent) <= bound)
        #expect(placement.slotByteCount(for: extent) % 4096 == 0)
        #expect(placement.readByteCount(for: extent) >= extent.byteCount)
      }
    }
  }
}
