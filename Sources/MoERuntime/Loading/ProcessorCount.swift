private import MoEPlatform

/// How many processors this process may run on.
package enum ProcessorCount {
  /// At least 1 and at most 256, the largest worker team; 1 where the kernel does not say.
  package static func usable() -> Int {
    let status = KernelFile.text("/proc/self/status") ?? ""
    return min(max(count(inStatus: status) ?? 1, 1), 256)
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
