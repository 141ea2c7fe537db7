#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Writing to descriptors of any kind.
package enum FileWriting {
  /// Writes all bytes; returns 0 or the `errno` value of the failure.
  package static func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32) -> Int32 {
    unsafe bytes.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
        let count = unsafe write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          start += count
        } else if errno == EAGAIN {
          // Someone made the stream non-blocking; wait until it takes more.
          var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = unsafe poll(&request, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }
}
