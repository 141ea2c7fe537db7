#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Writing to descriptors of any kind.
package enum FileWriting {
  /// Writes all bytes; returns 0 or the `errno` value of the failure.
  package static func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32) -> Int32 {
    unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
  }

  /// The same for memory of any kind.
  package static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
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

  /// Writes all bytes from an offset of a file on; returns 0 or the `errno` value of the failure.
  package static func writeAll(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int
  ) -> Int32 {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = unsafe pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        return count == 0 ? ENOSPC : errno
      }
    }
    return 0
  }

  /// Opens what is there, such as a pipe or a terminal, for writing; a negative `errno` value where
  /// that is refused. Whoever calls closes it.
  package static func openExisting(_ path: String) -> Int32 {
    let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
    return descriptor >= 0 ? descriptor : -errno
  }

  /// Closes a descriptor; returns 0 or the `errno` value of what could not be written after all.
  package static func close(_ descriptor: Int32) -> Int32 {
    #if canImport(Glibc)
      Glibc.close(descriptor) == 0 ? 0 : errno
    #else
      Musl.close(descriptor) == 0 ? 0 : errno
    #endif
  }

  /// 0 where the user may write to what is there, else the `errno` value.
  package static func refusal(of path: String) -> Int32 {
    unsafe access(path, W_OK) == 0 ? 0 : errno
  }
}
