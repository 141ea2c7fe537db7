#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How many processors this process may run on.
enum ProcessorCount {
  /// Those online, unless the process is bound to fewer; at least 1 and at most 256.
  static func usable() -> Int {
    var set = cpu_set_t()
    let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    guard unsafe sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else {
      return min(max(online, 1), 256)
    }
    let bound = unsafe withUnsafeBytes(of: &set) { bytes in
      bytes.reduce(0) { $0 + $1.nonzeroBitCount }
    }
    return min(max(bound, 1), 256)
  }
}
