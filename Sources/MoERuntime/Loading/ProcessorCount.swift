private import MoEPlatform

/// How many processors this process may use, and why so many.
package struct ProcessorCount: Sendable, Equatable {
  /// The largest worker team.
  private static let countMax = 256

  /// 1 to 256.
  package let count: Int
  /// Where the number comes from, in a few words.
  package let note: String
  /// Whether processor time is limited to less than all the time of the processors.
  package let hasQuota: Bool

  package static var current: ProcessorCount {
    let status = KernelFile.text("/proc/self/status") ?? ""
    return ProcessorCount(
      allowed: count(inStatus: status) ?? CurrentProcess.processorCount, quota: .current)
  }

  /// - Parameters:
  ///   - allowed: Processors that the process may run on; nil: unknown.
  ///   - quota: A team of more threads than whole processors in it would use the time of a period
  ///     up at once and then wait for the next.
  package init(allowed: Int?, quota: ProcessorQuota?) {
    let processors = min(max(allowed ?? 1, 1), Self.countMax)
    let whole = quota.map { Int(min($0.processors, Double(Self.countMax))) }
    if let quota, let whole, whole < processors {
      count = max(whole, 1)
      note = "a quota of \(Self.text(quota.processors)) processors (\(quota.limitName))"
    } else {
      count = processors
      note =
        allowed == nil
        ? "the system does not say how many processors there are" : "the processors it may run on"
    }
    hasQuota = quota.map { $0.processors < Double(allowed ?? .max) } ?? false
  }

  /// Rounded down to hundredths.
  private static func text(_ processors: Double) -> String {
    "\((processors * 100).rounded(.down) / 100)"
  }

  /// The processors in the line `Cpus_allowed_list:` of a status file, for example `0-3,8`.
  package static func count(inStatus status: String) -> Int? {
    let name = "Cpus_allowed_list:"
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else {
      return nil
    }
    var count = 0
    for part in line.dropFirst(name.count).split(whereSeparator: { ", \t".contains($0) }) {
      let ends = part.split(separator: "-").compactMap { Int($0) }
      // No machine has a million processors, and sums of more could overflow.
      guard let first = ends.first, let last = ends.last, first >= 0, first <= last, last < 1 << 20
      else { return nil }
      count += last - first + 1
    }
    return count
  }
}
