#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Nanoseconds of the system's monotonic clock, cheap enough for several readings per layer.
package enum MonotonicClock {
  package static func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
