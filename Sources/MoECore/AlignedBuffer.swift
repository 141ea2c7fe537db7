#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import MoEPlatform

/// Zeroed, page-aligned anonymous memory with one owner.
///
/// Everything large that the engine holds (weights, expert pool, KV cache, scratch) is one of
/// these, so that the memory budget can be accounted for in whole pages. Buffers of at least 2 MiB
/// are aligned to and rounded up to 2 MiB and ask for huge pages, which raises the streaming read
/// rate by a quarter on the machines measured so far; `mappedByteCount` is what counts for the
/// budget.
@safe package struct AlignedBuffer: ~Copyable, @unchecked Sendable {
  // Sendable because the owner is unique; who may write when is the engine's business.
  private let mapping: UnsafeMutableRawPointer
  private let mappingByteCount: Int
  package let byteCount: Int
  /// What the kernel will count once every page has been touched.
  package let mappedByteCount: Int
  package let baseAddress: UnsafeMutableRawPointer

  /// The machine's own.
  package static let pageByteCount = MemoryPage.byteCount
  package static let hugePageByteCount = 2 << 20

  /// The bytes that a buffer of `byteCount` takes from the budget.
  package static func mappedByteCount(for byteCount: Int) -> Int {
    let unit = byteCount >= hugePageByteCount ? hugePageByteCount : pageByteCount
    return (max(byteCount, 1) + unit - 1) / unit * unit
  }

  /// Throws `OutOfMemory` where the kernel refuses the mapping.
  package init(byteCount: Int) throws(OutOfMemory) {
    precondition(byteCount >= 0)
    let mapped = Self.mappedByteCount(for: byteCount)
    let huge = mapped >= Self.hugePageByteCount
    // Over-reserve address space to align; untouched pages cost nothing.
    let reserved = huge ? mapped + Self.hugePageByteCount : mapped
    let pointer = unsafe mmap(
      nil, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
      throw OutOfMemory(byteCount: byteCount)
    }
    unsafe mapping = pointer
    mappingByteCount = reserved
    self.byteCount = byteCount
    mappedByteCount = mapped
    if huge {
      unsafe baseAddress = pointer.alignedUp(toMultipleOf: Self.hugePageByteCount)
      _ = unsafe madvise(baseAddress, mapped, MADV_HUGEPAGE)
    } else {
      unsafe baseAddress = pointer
    }
  }

  deinit { unsafe munmap(mapping, mappingByteCount) }

  /// Makes the kernel provide every page now, so that memory that is promised is there and later
  /// steps take no page faults.
  package borrowing func populate() { Self.populate(bytes(count: byteCount)) }

  /// The same for a part of a buffer that begins at a page.
  package static func populate(_ memory: ByteView) {
    let populateWrite: Int32 = 23  // MADV_POPULATE_WRITE, Linux 5.14
    guard memory.count > 0, unsafe madvise(memory.pointer, memory.count, populateWrite) != 0 else {
      return
    }
    // An older kernel: writing what is there makes it provide the page.
    var offset = 0
    while offset < memory.count {
      let value = unsafe memory.pointer.load(fromByteOffset: offset, as: UInt8.self)
      unsafe memory.pointer.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
      offset += pageByteCount
    }
  }

  /// Gives the memory of a part of a buffer back to the system; what it held is lost, and it reads
  /// as zeros from then on. The part begins and ends at pages, huge ones in a buffer of those.
  package static func discard(_ memory: ByteView) {
    guard memory.count > 0 else { return }
    let status = unsafe madvise(memory.pointer, memory.count, MADV_DONTNEED)
    precondition(status == 0, "memory that cannot be given back would exceed the budget")
  }

  /// Floats from a byte offset on. The view is valid while this buffer lives.
  package borrowing func floats(atByteOffset offset: Int = 0, count: Int) -> FloatView {
    precondition(offset >= 0 && offset % 4 == 0 && count >= 0 && offset + count * 4 <= byteCount)
    return unsafe FloatView(
      (baseAddress + offset).assumingMemoryBound(to: Float.self), count: count)
  }

  /// Numbers from the start on. The view is valid while this buffer lives.
  package borrowing func words(count: Int) -> IndexView {
    precondition(count >= 0 && count * 4 <= byteCount)
    return unsafe IndexView(baseAddress.assumingMemoryBound(to: UInt32.self), count: count)
  }

  /// Bytes from an offset on. The view is valid while this buffer lives.
  package borrowing func bytes(atOffset offset: Int = 0, count: Int) -> ByteView {
    precondition(offset >= 0 && count >= 0 && offset + count <= byteCount)
    return unsafe ByteView(baseAddress + offset, count: count)
  }
}

package struct OutOfMemory: Error, CustomStringConvertible {
  package let byteCount: Int

  package init(byteCount: Int) { self.byteCount = byteCount }

  package var description: String {
    "the system refused \(ByteSize(byteCount)) of memory; "
      + "close other programs or give a smaller memory budget"
  }
}
