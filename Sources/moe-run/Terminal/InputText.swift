#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import MoEPlatform

/// Reads texts that users give: whole, checked to be UTF-8, and of a bounded size.
enum InputText {
  /// More than any context holds.
  static let byteCountMax = 256 << 20

  /// Whether standard input waits for someone to type.
  static var isTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  static func standardInput() throws(Failure) -> String {
    try text(of: STDIN_FILENO, name: "standard input")
  }

  static func file(_ path: String) throws(Failure) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      throw .runtime("the text file '\(path)' cannot be opened: \(systemMessage(errno))")
    }
    defer { close(descriptor) }
    return try text(of: descriptor, name: "the text file '\(path)'")
  }

  private static func text(of descriptor: Int32, name: String) throws(Failure) -> String {
    let bytes = try readAll(descriptor, name: name)
    // Some editors begin a text with a byte order mark, which is not part of it.
    let content = bytes.starts(with: byteOrderMark) ? bytes.dropFirst(3) : bytes[...]
    guard let text = String(validating: content, as: UTF8.self) else {
      throw .runtime("\(name) is not valid UTF-8; save the text as UTF-8")
    }
    return text
  }

  /// U+FEFF in UTF-8.
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The text less one line break at its end, of one character or of two.
  static func withoutLastLineBreak(_ text: String) -> String {
    var scalars = text.unicodeScalars[...]
    guard scalars.last == "\n" else { return text }
    scalars.removeLast()
    if scalars.last == "\r" { scalars.removeLast() }
    return String(scalars)
  }

  private static func readAll(_ descriptor: Int32, name: String) throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = unsafe block.withUnsafeMutableBytes { buffer in
        unsafe read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count > 0 {
        bytes += block[..<count]
      } else if count == 0 {
        return bytes
      } else if errno == EAGAIN {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&request, 1, -1)
      } else if errno != EINTR {
        throw .runtime("\(name) cannot be read: \(systemMessage(errno))")
      }
      guard bytes.count <= byteCountMax else {
        throw .runtime("\(name) has more than \(byteCountMax >> 20) MiB; give a shorter text")
      }
    }
  }
}
