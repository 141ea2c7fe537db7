#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// What the kernel says of this process's memory and of the limits it runs under.
package enum ProcessMemory {
  /// Peak resident set so far (`VmHWM`), in bytes.
  package static func peakByteCount() -> Int { statusField("VmHWM:") }

  /// Resident set now (`VmRSS`), in bytes.
  package static func residentByteCount() -> Int { statusField("VmRSS:") }

  /// What this process makes the machine hold now: its resident set or, where it is alone in a
  /// memory cgroup, all that the group is charged for if that is more. The latter counts page cache
  /// and kernel memory too.
  package static func chargedByteCount() -> Int {
    let resident = residentByteCount()
    guard let group = MemoryCGroup.current, group.isAlone, let usage = group.usageByteCount else {
      return resident
    }
    return max(resident, usage)
  }

  /// Memory that can be taken without swapping (`MemAvailable`), in bytes; nil where unknown.
  package static func availableByteCount() -> Int? {
    field("MemAvailable:", in: "/proc/meminfo")
  }

  private static func statusField(_ name: String) -> Int {
    field(name, in: "/proc/self/status") ?? 0
  }

  /// A field in kilobytes of a file of `Name:  value kB` lines.
  private static func field(_ name: String, in path: String) -> Int? {
    guard let text = SystemFile.read(path) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let number = line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first
      return number.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }
}

/// Small text files of /proc and /sys.
package enum SystemFile {
  /// The file's text, at most 1 MiB of it; nil where it cannot be read.
  package static func read(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while text.count < 1 << 20 {
      let count = unsafe block.withUnsafeMutableBytes { bytes in
        unsafe Glibc.read(descriptor, bytes.baseAddress, bytes.count)
      }
      guard count > 0 else { break }
      text += block[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }
}
