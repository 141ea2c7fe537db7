#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// What the kernel says of this process's memory and of the limits it runs under.
package enum ProcessMemory {
  /// Peak resident set so far (`VmHWM`), in bytes.
  package static func peakByteCount() -> Int { statusField("VmHWM:") }

  /// Makes the peak begin anew at the resident set of now. Returns false where the kernel does not:
  /// the peak then stays that of all the process has done.
  package static func resetPeak() -> Bool {
    let descriptor = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return unsafe write(descriptor, "5", 1) == 1
  }

  /// Resident set now (`VmRSS`), in bytes.
  package static func residentByteCount() -> Int { statusField("VmRSS:") }

  /// What this process makes the machine hold now: its resident set and, where it is alone in a
  /// memory cgroup, what the group is charged for beside it: page tables and other kernel memory,
  /// and the parts of program files that were read but not mapped.
  package static func chargedByteCount() -> Int {
    let (resident, anonymous) = (residentByteCount(), statusField("RssAnon:"))
    guard let group = MemoryCGroup.current, group.isAlone, let usage = group.usage else {
      return resident
    }
    // Copies of other files are of no use to this process; the kernel drops them in its favour.
    let program = min(usage.fileByteCount, mappedFileByteCount())
    return max(resident - anonymous, program) + max(anonymous, usage.heldByteCount)
  }

  /// Size of all files that this process maps: the program and its libraries.
  private static func mappedFileByteCount() -> Int {
    let paths = (SystemFile.read("/proc/self/maps") ?? "").split(separator: "\n").compactMap {
      // "7f00-7f10 r-xp 00000000 08:01 1234    /usr/lib/library.so"
      $0.split(separator: " ", maxSplits: 5).dropFirst(5).first.map { $0.drop { $0 == " " } }
    }
    return Set(paths.filter { $0.hasPrefix("/") })
      .reduce(0) { $0 + (SystemFile.byteCount(String($1)) ?? 0) }
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
  /// The file's size; nil where it cannot be found.
  static func byteCount(_ path: String) -> Int? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// The number of the device that the file is on; nil where it cannot be found.
  static func device(_ path: String) -> UInt64? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? UInt64(status.st_dev) : nil
  }

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
