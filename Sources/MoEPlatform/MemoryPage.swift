#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The machine's unit of memory: 4 KiB on x86, but 16 or 64 KiB on some Arm systems.
package enum MemoryPage {
  /// A power of two.
  package static let byteCount: Int = {
    let told = sysconf(Int32(_SC_PAGESIZE))
    return told > 0 && told.nonzeroBitCount == 1 ? told : 4096
  }()

  /// The whole pages that a run of bytes touches.
  package static func covering(_ bytes: Range<Int>, pageByteCount: Int = byteCount) -> Range<Int> {
    let start = bytes.lowerBound / pageByteCount * pageByteCount
    let end = (bytes.upperBound + pageByteCount - 1) / pageByteCount * pageByteCount
    return start..<end
  }
}
