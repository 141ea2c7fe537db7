#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Text for the user's next program: unbuffered, so that each token shows when it is made.
enum StandardOutput {
  static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  static func write(_ text: String) throws(Failure) {
    let code = writeAll(text, to: STDOUT_FILENO)
    switch code {
    case 0: return
    case EPIPE: throw .outputClosed
    default: throw .runtime("standard output cannot be written: \(systemMessage(code))")
    }
  }
}

/// Everything that is not the text itself. Where it cannot be written there is nobody to tell.
enum StandardError {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  static func write(_ text: String) { _ = writeAll(text, to: STDERR_FILENO) }
}

/// Writes all bytes; returns 0 or the `errno` of the failure.
func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
  var text = text
  return text.withUTF8 { bytes in
    var start = 0
    while start < bytes.count {
      let rest = unsafe UnsafeBufferPointer(rebasing: bytes[start...])
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

/// The system's words for an `errno`.
func systemMessage(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
