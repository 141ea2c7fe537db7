#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A counting semaphore of the system's threads library.
@safe package final class CountingSemaphore: @unchecked Sendable {
  // Sendable because sem_t is made for use from several threads, and its memory does not move.
  private let storage: UnsafeMutablePointer<sem_t>

  package init() {
    unsafe storage = .allocate(capacity: 1)
    unsafe sem_init(storage, 0, 0)
  }

  deinit {
    unsafe sem_destroy(storage)
    unsafe storage.deallocate()
  }

  package func signal() { unsafe sem_post(storage) }

  /// Blocks the thread until the count is above 0, and takes 1 off it.
  package func wait() { while unsafe sem_wait(storage) != 0 {} }
}
