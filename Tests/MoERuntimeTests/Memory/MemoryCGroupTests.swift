import Foundation
import MoECore
import MoERuntime
import MoETestSupport
import Testing

/// Groups of both versions, made of plain files in a temporary folder.
@Suite struct MemoryCGroupTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes the files of a group below the folder that stands for the mount point.
  private func write(_ path: String, _ files: [String: String]) throws {
    let group = path.isEmpty ? folder.url : folder.url.appending(path: path)
    try FileManager.default.createDirectory(at: group, withIntermediateDirectories: true)
    for (name, text) in files { try Data(text.utf8).write(to: group.appending(path: name)) }
  }

  private func mounts(_ type: String, options: String = "rw", root: String = "/") -> String {
    """
    22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw
    30 22 0:26 \(root) \(folder.url.path) rw,nosuid shared:9 - \(type) \(type) \(options)

    """
  }

  private let versionTwo = "0::/a/b\n"
  private let versionOne = "9:cpu,cpuacct:/other\n4:memory:/a/b\n0::/\n"

  @Test func versionTwoReadsMaxAndCurrent() throws {
    try write(
      "a/b",
      [
        "memory.max": "1000000\n", "memory.current": "700000\n", "memory.peak": "800000\n",
        "memory.stat": "anon 1\ninactive_file 100000\nactive_file 200000\n",
      ])
    let group = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    #expect(group.peakByteCount == 800_000)
    // Copies of files are dropped when memory is wanted.
    #expect(group.usage?.heldByteCount == 400_000 && group.usage?.fileByteCount == 300_000)
    // Of what is held, 150,000 are this process's own.
    #expect(group.room(forProcessOf: 150_000)?.byteCount == 1_000_000 - 250_000)
    #expect(group.room(forProcessOf: 900_000)?.byteCount == 1_000_000)
  }

  @Test func versionOneReadsLimitAndUsage() throws {
    try write(
      "a/b",
      [
        "memory.limit_in_bytes": "1000000\n", "memory.usage_in_bytes": "700000\n",
        "memory.max_usage_in_bytes": "900000\n",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 300000\ntotal_active_file 0\n",
      ])
    let group = try #require(
      MemoryCGroup(membership: versionOne, mounts: mounts("cgroup", options: "rw,memory")))
    #expect(group.peakByteCount == 900_000)
    #expect(group.usage?.heldByteCount == 400_000 && group.usage?.fileByteCount == 300_000)
    #expect(group.room(forProcessOf: 0)?.byteCount == 600_000)
  }

  @Test func unlimitedGroupsLeaveTheMachineAsTheLimit() throws {
    try write("a/b", ["memory.max": "max\n", "memory.current": "5\n"])
    try write(
      "v1",
      ["memory.limit_in_bytes": "9223372036854771712\n", "memory.usage_in_bytes": "5\n"])
    let two = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    #expect(two.room(forProcessOf: 0) == nil)
    let one = try #require(
      MemoryCGroup(membership: "4:memory:/v1\n", mounts: mounts("cgroup", options: "memory")))
    #expect(one.room(forProcessOf: 0) == nil)
  }

  @Test func theTightestAncestorCounts() throws {
    try write("a/b", ["memory.max": "900000\n", "memory.current": "100000\n"])
    // Siblings hold most of what the parent may.
    try write("a", ["memory.max": "800000\n", "memory.current": "600000\n"])
    try write("", ["memory.max": "max\n"])
    let group = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    #expect(group.room(forProcessOf: 100_000)?.byteCount == 300_000)
  }

  @Test func theLowerOfHighAndMaxCounts() throws {
    try write("a/b", ["memory.max": "900000\n", "memory.high": "700000\n"])
    try write("a", ["memory.max": "800000\n", "memory.high": "max\n"])
    let group = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    var room = try #require(group.room(forProcessOf: 0))
    #expect(room.byteCount == 700_000 && room.limitName == "memory.high")
    try write("a", ["memory.high": "600000\n"])
    #expect(group.room(forProcessOf: 0)?.byteCount == 600_000)
    try write("a", ["memory.max": "500000\n"])
    room = try #require(group.room(forProcessOf: 0))
    #expect(room.byteCount == 500_000 && room.limitName == "memory.max")
  }

  @Test(arguments: ["/a", "/a/"])
  func aContainerSeesAPartOfTheHierarchy(_ root: String) throws {
    try write("b", ["memory.max": "70000\n"])
    let group = try #require(
      MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2", root: root)))
    #expect(group.room(forProcessOf: 0)?.byteCount == 70_000)
  }

  @Test func aRootThatOnlyBeginsLikeTheGroupIsNoPartOfIt() throws {
    try write("abc", ["memory.max": "70000\n"])
    let group = try #require(
      MemoryCGroup(membership: "0::/abc\n", mounts: mounts("cgroup2", root: "/ab")))
    #expect(group.room(forProcessOf: 0)?.byteCount == 70_000)
  }

  @Test(arguments: ["", "nonsense", "1:2", ":::::\n", "4:memory", "0::"])
  func withoutAGroupThereIsNone(_ membership: String) {
    #expect(MemoryCGroup(membership: membership, mounts: "") == nil)
    #expect(MemoryCGroup(membership: "0::/a\n", mounts: membership) == nil)
  }

  @Test func missingAndDamagedFilesSayNothing() throws {
    try write("a/b", ["memory.max": "\n", "memory.current": "lots\n", "memory.stat": "x\n\n1 2 3"])
    let group = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    #expect(group.room(forProcessOf: 5) == nil)
    #expect(group.peakByteCount == nil && group.usage == nil)
    #expect(!group.isAlone)
  }

  @Test func aProcessKnowsWhetherItIsAlone() throws {
    let own = "\(ProcessInfo.processInfo.processIdentifier)\n"
    try write("a/b", ["cgroup.procs": own])
    let group = try #require(MemoryCGroup(membership: versionTwo, mounts: mounts("cgroup2")))
    #expect(group.isAlone)
    try write("a/b", ["cgroup.procs": own + "1\n"])
    #expect(!group.isAlone)
  }
}
