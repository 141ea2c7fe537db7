#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The kernel's copies of a file's pages, which count against the memory of who had them read.
extension InputFile {
  /// Asks the kernel to read nothing that was not asked for. It is advice: refusal does no harm.
  package func adviseRandomReads() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM) }

  /// Drops the copies of whole pages that touch these bytes, as far as nobody maps or changes them.
  package func dropFromPageCache(_ bytes: Range<Int>) {
    PageCacheAdvice.drop(bytes, of: descriptor)
  }

  /// Drops the copies of the whole file, written back first: those that were not cannot be dropped.
  package func dropFromPageCache() {
    fsync(descriptor)
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// How many of these bytes the page cache holds, in whole pages; nil where the system does not
  /// say. Of a file that is neither ours nor ours to write, the kernel says that all are there.
  package func cachedByteCount(in bytes: Range<Int>) -> Int? {
    let page = MemoryPage.byteCount
    // A piece at a time: the answer takes a byte for each page.
    let pieceByteCount = page << 16
    var start = MemoryPage.covering(bytes).lowerBound
    let end = MemoryPage.covering(bytes.lowerBound..<min(bytes.upperBound, identity.byteCount))
      .upperBound
    var count = 0
    while start < end {
      let byteCount = min(pieceByteCount, end - start)
      let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, off_t(start))
      guard let address = unsafe address, unsafe address != MAP_FAILED else { return nil }
      defer { unsafe munmap(address, byteCount) }
      var residence = [UInt8](repeating: 0, count: byteCount / page)
      guard unsafe mincore(address, byteCount, &residence) == 0 else { return nil }
      count += residence.count { $0 & 1 == 1 } * page
      start += byteCount
    }
    return count
  }
}

/// The same advice for who has nothing but a descriptor.
package enum PageCacheAdvice {
  /// Whole pages, or the kernel keeps the ones at both ends.
  package static func drop(_ bytes: Range<Int>, of descriptor: Int32) {
    let pages = MemoryPage.covering(bytes)
    guard !pages.isEmpty else { return }
    _ = posix_fadvise(
      descriptor, off_t(pages.lowerBound), off_t(pages.count), POSIX_FADV_DONTNEED)
  }
}
