private import MoEPlatform

/// How much processor time the control groups of this process give it.
package struct ProcessorQuota: Sendable, Equatable {
  /// Of one processor's time; 1.5 are one and a half processors.
  package var processors: Double
  /// The file with the limit.
  package var limitName: String

  package init(processors: Double, limitName: String) {
    self.processors = processors
    self.limitName = limitName
  }

  /// The tightest limit of the group and its ancestors; nil where there is none, or it is unknown.
  package static var current: ProcessorQuota? {
    ProcessorQuota(membership: ControlGroup.membership, mounts: ControlGroup.mounts)
  }

  /// - Parameters:
  ///   - membership: The text of `/proc/self/cgroup`.
  ///   - mounts: The text of `/proc/self/mountinfo`.
  package init?(membership: String, mounts: String) {
    guard let group = ControlGroup("cpu", membership: membership, mounts: mounts) else {
      return nil
    }
    limitName = group.isVersion2 ? "cpu.max" : "cpu.cfs_quota_us"
    let limits = group.folders.compactMap {
      group.isVersion2 ? Self.versionTwo($0) : Self.versionOne($0)
    }
    guard let least = limits.min() else { return nil }
    processors = least
  }

  /// "150000 100000": microseconds in each period of so many; "max 100000" where there is no limit.
  private static func versionTwo(_ folder: String) -> Double? {
    let words = (KernelFile.text("\(folder)/cpu.max") ?? "").split(whereSeparator: \.isWhitespace)
    guard words.count == 2 else { return nil }
    return share(quota: Int(words[0]), period: Int(words[1]))
  }

  /// The quota is -1 where there is no limit.
  private static func versionOne(_ folder: String) -> Double? {
    func number(_ name: String) -> Int? {
      KernelFile.text("\(folder)/\(name)").flatMap { Int($0.split(separator: "\n").first ?? "") }
    }
    return share(quota: number("cpu.cfs_quota_us"), period: number("cpu.cfs_period_us"))
  }

  private static func share(quota: Int?, period: Int?) -> Double? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return Double(quota) / Double(period)
  }
}
