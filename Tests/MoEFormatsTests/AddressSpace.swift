import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// This process's memory, as the kernel counts it.
enum AddressSpace {
  struct Failure: Error { let what: String }

  /// Makes every allocation fail that would take the process this many bytes beyond what it has.
  static func limit(toFurther byteCount: Int) throws {
    let wanted = try rlim_t(status("VmSize") + byteCount)
    var limit = rlimit(rlim_cur: wanted, rlim_max: wanted)
    guard unsafe setrlimit(resource(RLIMIT_AS), &limit) == 0 else {
      throw Failure(what: "setrlimit")
    }
  }

  #if canImport(Glibc)
    private static func resource(_ resource: __rlimit_resource) -> __rlimit_resource_t {
      __rlimit_resource_t(resource.rawValue)
    }
  #else
    private static func resource(_ resource: Int32) -> Int32 { resource }
  #endif

  /// The largest resident size since `resetPeak`, and before it the one of all time.
  static var peakByteCount: Int { get throws { try status("VmHWM") } }
  static var residentByteCount: Int { get throws { try status("VmRSS") } }

  static func resetPeak() throws {
    let file = try FileHandle(forWritingTo: URL(filePath: "/proc/self/clear_refs"))
    try file.write(contentsOf: Data("5".utf8))
    try file.close()
  }

  private static func status(_ key: String) throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key + ":") }),
      let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first,
      let count = Int(kibibytes)
    else { throw Failure(what: key) }
    return count << 10
  }
}
