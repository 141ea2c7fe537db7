#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The process that runs this, as system calls tell: also where there is no `/proc`.
package enum CurrentProcess {
  package static var id: Int32 { getpid() }

  /// Processors that are online; nil where the system does not say.
  package static var processorCount: Int? {
    let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    return count > 0 ? count : nil
  }

  /// Peak of the resident set, in bytes; it counts what the program that started this one held.
  package static var peakByteCount: Int {
    var usage = rusage()
    // RUSAGE_SELF, which libraries declare in different ways.
    let code = unsafe getrusage(0, &usage)
    return code == 0 ? Int(usage.ru_maxrss) << 10 : 0
  }
}
