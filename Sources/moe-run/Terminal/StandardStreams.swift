#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import MoEPlatform

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

/// Writes all of a text; returns 0 or the `errno` value of the failure.
func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
  FileWriting.writeAll(text.utf8.span, to: descriptor)
}
