import Foundation
import MoECore
import MoEPlatform
import MoERuntime
import Testing

@Suite struct ProcessMemoryTests {
  @Test func whatIsTouchedIsCounted() async {
    await #expect(processExitsWith: .success) {
      let before = ProcessMemory.residentByteCount()
      let charged = ProcessMemory.chargedByteCount()
      try #require(before > 1 << 20 && charged >= before / 2)
      let buffer = try AlignedBuffer(byteCount: 64 << 20)
      buffer.populate()
      // The kernel counts in batches per processor.
      let grown = 63 << 20
      try #require(ProcessMemory.residentByteCount() >= before + grown)
      try #require(ProcessMemory.chargedByteCount() >= charged + grown)
      try #require(ProcessMemory.peakByteCount() >= before + grown)
    }
  }

  @Test func thePeakStaysWhenMemoryIsGivenBack() async {
    await #expect(processExitsWith: .success) {
      func touch() throws { try AlignedBuffer(byteCount: 64 << 20).populate() }
      try touch()
      let (peak, resident) = (
        ProcessMemory.peakByteCount(), ProcessMemory.residentByteCount()
      )
      try #require(peak >= resident + (60 << 20))
    }
  }

  @Test func thePeakCanBeginAnew() async {
    await #expect(processExitsWith: .success) {
      func touch() throws { try AlignedBuffer(byteCount: 64 << 20).populate() }
      try touch()
      let peak = ProcessMemory.peakByteCount()
      guard ProcessMemory.resetPeak() else { return }
      try #require(ProcessMemory.peakByteCount() <= peak - (60 << 20))
    }
  }

  @Test func theMachineHasMemory() throws {
    let available = try #require(ProcessMemory.availableByteCount())
    #expect(available > 1 << 20 && available < 1 << 50)
  }

  @Test func filesThatAreNotThereReadAsNothing() {
    #expect(KernelFile.text("/proc/no/such/file") == nil)
    #expect(KernelFile.text("/proc/self/status")?.hasPrefix("Name:") == true)
  }
}

@Suite struct ProcessorCountTests {
  @Test(arguments: [
    ("Cpus_allowed_list:\t0-3\n", 4), ("Cpus_allowed_list:\t0\n", 1),
    ("Name:\tx\nCpus_allowed_list:\t0-1,4,8-11\nMems_allowed_list:\t0\n", 7),
  ])
  func countsTheListsProcessors(status: String, count: Int) {
    #expect(ProcessorCount.count(inStatus: status) == count)
  }

  @Test(arguments: [
    "", "Cpus_allowed:\t3\n", "Cpus_allowed_list:\t3-1\n", "Cpus_allowed_list:\tx\n",
    "Cpus_allowed_list:\t0-9223372036854775807\n",
    "Cpus_allowed_list:\t0-9223372036854775806,0-9223372036854775806\n",
  ])
  func aListThatMakesNoSenseCountsNothing(_ status: String) {
    #expect(ProcessorCount.count(inStatus: status) == nil)
  }

  @Test func thisProcessMayRunSomewhere() {
    #expect((1...256).contains(ProcessorCount.current.count))
  }

  /// (processors, quota): threads, whether a quota binds.
  private static let counts: [(Int?, Double?, Int, Bool)] = [
    (8, nil, 8, false), (8, 2, 2, true), (8, 2.99, 2, true), (8, 0.3, 1, true),
    (2, 2, 2, false), (2, 1.5, 1, true), (2, 64, 2, false), (nil, nil, 1, false),
    (nil, 4, 1, true), (1000, nil, 256, false), (1000, 1e30, 256, false),
  ]

  @Test(arguments: counts)
  func theQuotaRoundedDownCounts(allowed: Int?, quota: Double?, count: Int, hasQuota: Bool) {
    let found = ProcessorCount(
      allowed: allowed,
      quota: quota.map { ProcessorQuota(processors: $0, limitName: "cpu.max") })
    #expect(found.count == count && found.hasQuota == hasQuota)
    let isBound = quota.map { Int(min($0, 1e6)) < allowed ?? 1 } ?? false
    #expect(found.note.contains("quota") == isBound)
    #expect(found.note.contains("does not say") == (allowed == nil))
  }
}
