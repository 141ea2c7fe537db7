import MoEStore

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The kernel's copies of file pages.
package enum PageCache {
  /// Drops the copies of a model's files, as far as no other process maps them. Needs no more than
  /// the right to read the files, and takes nothing from other programs.
  package static func drop(modelAt path: String) throws(EngineError) {
    for file in try LoadedHeader(path: path).files {
      let descriptor = unsafe open(file.path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      // Only pages that were written back can be dropped, which those of a copied file may not be.
      fsync(descriptor)
      posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
      close(descriptor)
    }
  }
}
