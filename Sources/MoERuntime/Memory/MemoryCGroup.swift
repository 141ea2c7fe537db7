private import MoEPlatform

/// The memory control group that this process is in, of either version.
package struct MemoryCGroup: Sendable {
  /// The group's folder, and its ancestors' up to the mount point: a limit may stand at any of
  /// them.
  private let folders: [String]
  private let isVersion2: Bool

  /// Nil where there is none, or it cannot be read.
  package static let current = MemoryCGroup(
    membership: KernelFile.text("/proc/self/cgroup") ?? "",
    mounts: KernelFile.text("/proc/self/mountinfo") ?? "")

  /// - Parameters:
  ///   - membership: The text of `/proc/self/cgroup`.
  ///   - mounts: The text of `/proc/self/mountinfo`.
  package init?(membership: String, mounts: String) {
    var versionOnePath: String?
    var versionTwoPath: String?
    for line in membership.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[0] == "0" && fields[1].isEmpty { versionTwoPath = String(fields[2]) }
      if fields[1].split(separator: ",").contains("memory") { versionOnePath = String(fields[2]) }
    }
    // Where both are mounted, the memory controller is in one of them: version 1 if it is listed.
    isVersion2 = versionOnePath == nil
    guard let path = versionOnePath ?? versionTwoPath,
      let mount = Self.mountPoint(in: mounts, isVersion2: isVersion2)
    else { return nil }
    var folders: [String] = []
    var parts = path.split(separator: "/")
    let root = mount.root.split(separator: "/")
    // A container may see a part of the hierarchy only; what is above its root is not there for it.
    if parts.starts(with: root) { parts.removeFirst(root.count) }
    while true {
      folders.append(([mount.point] + parts.map(String.init)).joined(separator: "/"))
      if parts.isEmpty { break }
      parts.removeLast()
    }
    self.folders = folders
  }

  private static func mountPoint(
    in mounts: String, isVersion2: Bool
  ) -> (root: String, point: String)? {
    for line in mounts.split(separator: "\n") {
      // "36 35 98:0 /root /point options - type source superoptions"
      let halves = line.split(separator: " - ", maxSplits: 1)
      guard halves.count == 2 else { continue }
      let left = halves[0].split(separator: " ")
      let right = halves[1].split(separator: " ")
      guard left.count >= 5, let type = right.first else { continue }
      let matches =
        isVersion2
        ? type == "cgroup2"
        : type == "cgroup" && (right.last ?? "").split(separator: ",").contains("memory")
      if matches { return (String(left[3]), String(left[4])) }
    }
    return nil
  }

  /// What a group is charged for.
  package struct Usage: Sendable, Equatable {
    /// Memory of processes and of the kernel for them.
    package var heldByteCount: Int
    /// Copies of files, which the kernel drops when their memory is wanted.
    package var fileByteCount: Int
  }

  /// What the group is charged for now; nil where the kernel does not say.
  package var usage: Usage? { usage(of: folders[0]) }

  /// What a process of the group may hold before the group or one of its ancestors is at its
  /// limit: the limit less what other processes hold. Nil where no limit is set.
  package func roomByteCount(forProcessOf processByteCount: Int) -> Int? {
    let rooms = folders.compactMap { folder -> Int? in
      // Version 1 writes "no limit" as the largest multiple of a page in 63 bits.
      guard let limit = Self.number("\(folder)/\(limitName)"), limit < 1 << 60 else { return nil }
      let others = (usage(of: folder)?.heldByteCount ?? 0) - processByteCount
      return max(0, limit - max(0, others))
    }
    return rooms.min()
  }

  private func usage(of folder: String) -> Usage? {
    guard let total = Self.number("\(folder)/\(usageName)") else { return nil }
    let files = min(total, Self.fileByteCount(folder))
    return Usage(heldByteCount: total - files, fileByteCount: files)
  }

  private var limitName: String { isVersion2 ? "memory.max" : "memory.limit_in_bytes" }
  private var usageName: String { isVersion2 ? "memory.current" : "memory.usage_in_bytes" }

  /// Copies of files that a group, with those below it, is charged for.
  private static func fileByteCount(_ folder: String) -> Int {
    let lines = (KernelFile.text("\(folder)/memory.stat") ?? "").split(separator: "\n")
    var sums: [Substring: Int] = [:]
    for line in lines {
      let words = line.split(separator: " ")
      if words.count == 2 { sums[words[0]] = Int(words[1]) }
    }
    // Version 1 counts the group alone under the plain names.
    return ["inactive_file", "active_file"].reduce(0) { sum, name in
      sum + (sums["total_\(name)"] ?? sums[name[...]] ?? 0)
    }
  }

  /// The most that the group was charged for; nil where the kernel does not say.
  package var peakByteCount: Int? {
    Self.number("\(folders[0])/\(isVersion2 ? "memory.peak" : "memory.max_usage_in_bytes")")
  }

  /// Whether this process is the only one in the group, so that the group's charges are its own.
  package var isAlone: Bool {
    guard let text = KernelFile.text("\(folders[0])/cgroup.procs") else { return false }
    return text.split(separator: "\n").map(String.init) == ["\(CurrentProcess.id)"]
  }

  private static func number(_ path: String) -> Int? {
    KernelFile.text(path).flatMap { Int($0.split(separator: "\n").first ?? "") }
  }
}
