private import MoEPlatform

/// The memory control group that this process is in, of either version.
package struct MemoryCGroup: Sendable {
  private let group: ControlGroup
  private var folders: [String] { group.folders }
  private var isVersion2: Bool { group.isVersion2 }

  /// Nil where there is none, or it cannot be read.
  package static let current = MemoryCGroup(
    membership: ControlGroup.membership, mounts: ControlGroup.mounts)

  /// - Parameters:
  ///   - membership: The text of `/proc/self/cgroup`.
  ///   - mounts: The text of `/proc/self/mountinfo`.
  package init?(membership: String, mounts: String) {
    guard let group = ControlGroup("memory", membership: membership, mounts: mounts) else {
      return nil
    }
    self.group = group
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

  /// What a process may hold under one limit, and the file that has the limit.
  package struct Room: Sendable, Equatable {
    package var byteCount: Int
    package var limitName: String
  }

  /// What a process of the group may hold before the group or one of its ancestors is at one of
  /// its limits: the limit less what other processes hold. Nil where no limit is set.
  ///
  /// Above `memory.high` the kernel ends nothing but slows every process of the group down to the
  /// speed at which it takes memory back, so the lower of both limits counts.
  package func room(forProcessOf processByteCount: Int) -> Room? {
    let rooms = folders.flatMap { folder in
      limitNames.compactMap { name -> Room? in
        // Version 1 writes "no limit" as the largest multiple of a page in 63 bits.
        guard let limit = Self.number("\(folder)/\(name)"), limit < 1 << 60 else { return nil }
        let others = (usage(of: folder)?.heldByteCount ?? 0) - processByteCount
        return Room(byteCount: max(0, limit - max(0, others)), limitName: name)
      }
    }
    return rooms.min { $0.byteCount < $1.byteCount }
  }

  private func usage(of folder: String) -> Usage? {
    guard let total = Self.number("\(folder)/\(usageName)") else { return nil }
    let files = min(total, Self.fileByteCount(folder))
    return Usage(heldByteCount: total - files, fileByteCount: files)
  }

  private var limitNames: [String] {
    isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
  }
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
