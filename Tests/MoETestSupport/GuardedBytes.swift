#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
package import MoECore

/// Memory between two pages that may not be touched: code that reads or writes one byte too far,
/// before or behind, ends the test process.
@safe package struct GuardedBytes: ~Copyable {
  package enum Edge: Sendable, CaseIterable {
    /// The first byte stands directly behind a forbidden page.
    case start
    /// The last byte stands directly before a forbidden page.
    case end
  }

  private let mapping: UnsafeMutableRawPointer
  private let mappingByteCount: Int
  package let bytes: ByteView

  package struct MappingRefused: Error { package let byteCount: Int }

  /// Throws where the kernel refuses the mapping.
  package init(byteCount: Int, at edge: Edge) throws(MappingRefused) {
    precondition(byteCount >= 0)
    let page = AlignedBuffer.pageByteCount
    let inside = (byteCount + page - 1) / page * page
    mappingByteCount = inside + 2 * page
    let pointer = unsafe mmap(
      nil, mappingByteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED,
      unsafe inside == 0 || mprotect(pointer + page, inside, PROT_READ | PROT_WRITE) == 0
    else { throw MappingRefused(byteCount: mappingByteCount) }
    unsafe mapping = pointer
    let start = edge == .start ? page : page + inside - byteCount
    unsafe bytes = ByteView(pointer + start, count: byteCount)
  }

  package init(_ content: [UInt8], at edge: Edge) throws(MappingRefused) {
    try self.init(byteCount: content.count, at: edge)
    bytes.copy(from: content)
  }

  deinit { unsafe munmap(mapping, mappingByteCount) }
}
