import Foundation
import MoERuntime
import MoETestSupport
import Testing

/// Quotas of both versions, in plain files in a temporary folder.
@Suite struct ProcessorQuotaTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ path: String, _ files: [String: String]) throws {
    let group = path.isEmpty ? folder.url : folder.url.appending(path: path)
    try FileManager.default.createDirectory(at: group, withIntermediateDirectories: true)
    for (name, text) in files { try Data(text.utf8).write(to: group.appending(path: name)) }
  }

  private var versionTwo: ProcessorQuota? {
    ProcessorQuota(
      membership: "0::/a/b\n",
      mounts: "30 22 0:26 / \(folder.url.path) rw - cgroup2 cgroup2 rw\n")
  }

  private var versionOne: ProcessorQuota? {
    ProcessorQuota(
      membership: "9:memory:/other\n4:cpu,cpuacct:/a/b\n0::/\n",
      mounts: "30 22 0:26 / \(folder.url.path) rw - cgroup cgroup rw,cpu,cpuacct\n")
  }

  @Test func versionTwoReadsTheTightestOfTheChain() throws {
    try write("a/b", ["cpu.max": "max 100000\n"])
    #expect(versionTwo == nil)
    try write("a", ["cpu.max": "150000 100000\n"])
    #expect(versionTwo == ProcessorQuota(processors: 1.5, limitName: "cpu.max"))
    try write("", ["cpu.max": "400000 200000\n"])
    #expect(versionTwo?.processors == 1.5)
    try write("a/b", ["cpu.max": "20000 100000\n"])
    #expect(versionTwo?.processors == 0.2)
  }

  @Test func versionOneReadsTheTightestOfTheChain() throws {
    try write("a/b", ["cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"])
    #expect(versionOne == nil)
    try write("a", ["cpu.cfs_quota_us": "300000\n", "cpu.cfs_period_us": "100000\n"])
    #expect(versionOne == ProcessorQuota(processors: 3, limitName: "cpu.cfs_quota_us"))
    try write("", ["cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "50000\n"])
    #expect(versionOne?.processors == 1)
  }

  @Test(arguments: ["", "\n", "max", "x y", "0 100000", "-5 100000", "100000 0", "1 2 3"])
  func aLimitThatMakesNoSenseIsNone(_ text: String) throws {
    try write("a/b", ["cpu.max": text, "cpu.cfs_quota_us": text, "cpu.cfs_period_us": text])
    #expect(versionTwo == nil && versionOne == nil)
  }

  @Test func withoutAGroupThereIsNoQuota() {
    #expect(ProcessorQuota(membership: "", mounts: "") == nil)
  }
}
