private import MoEPlatform

/// What the kernel says of this process's memory and of the limits it runs under.
package enum ProcessMemory {
  /// Peak resident set so far (`VmHWM`), in bytes.
  package static func peakByteCount() -> Int {
    statusField("VmHWM:") ?? CurrentProcess.peakByteCount
  }

  /// Makes the peak begin anew at the resident set of now. Returns false where the kernel does not:
  /// the peak then stays that of all the process has done.
  package static func resetPeak() -> Bool {
    KernelFile.write("5", to: "/proc/self/clear_refs")
  }

  /// Resident set now (`VmRSS`), in bytes; its peak where the kernel does not say.
  package static func residentByteCount() -> Int {
    statusField("VmRSS:") ?? CurrentProcess.peakByteCount
  }

  /// What this process makes the machine hold now: its resident set and, where it is alone in a
  /// memory cgroup, what the group is charged for beside it: page tables and other kernel memory,
  /// and the parts of program files that were read but not mapped.
  package static func chargedByteCount() -> Int {
    let (resident, anonymous) = (residentByteCount(), statusField("RssAnon:") ?? 0)
    guard let group = MemoryCGroup.current, group.isAlone, let usage = group.usage else {
      return resident
    }
    // Copies of other files are of no use to this process; the kernel drops them in its favour.
    let program = min(usage.fileByteCount, mappedFileByteCount())
    return max(resident - anonymous, program) + max(anonymous, usage.heldByteCount)
  }

  /// Size of all files that this process maps: the program and its libraries.
  private static func mappedFileByteCount() -> Int {
    let paths = (KernelFile.text("/proc/self/maps") ?? "").split(separator: "\n").compactMap {
      // "7f00-7f10 r-xp 00000000 08:01 1234    /usr/lib/library.so"
      $0.split(separator: " ", maxSplits: 5).dropFirst(5).first.map { $0.drop { $0 == " " } }
    }
    return Set(paths.filter { $0.hasPrefix("/") })
      .reduce(0) { $0 + (FileStatus(path: String($1))?.identity.byteCount ?? 0) }
  }

  /// Memory that can be taken without swapping (`MemAvailable`), in bytes; nil where unknown.
  package static func availableByteCount() -> Int? {
    field("MemAvailable:", in: "/proc/meminfo")
  }

  private static func statusField(_ name: String) -> Int? {
    field(name, in: "/proc/self/status")
  }

  /// A field in kilobytes of a file of `Name:  value kB` lines.
  private static func field(_ name: String, in path: String) -> Int? {
    guard let text = KernelFile.text(path) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let number = line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first
      return number.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }
}
