#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Files that are read and written as a whole.
package enum WholeFile {
  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// The bytes of a regular file of at most `byteCountMax`; one that holds more is refused.
  package static func contents(
    of path: String, byteCountMax: Int
  ) throws(FileError) -> [UInt8] {
    let file = try InputFile(path)
    let tooLarge = FileError.tooLarge(path: path, byteCountMax: byteCountMax)
    guard file.identity.byteCount <= byteCountMax else { throw tooLarge }
    // Some files, those of the kernel for example, hold more than they say.
    let blockByteCount = min(max(file.identity.byteCount, 4096), 64 << 20)
    var bytes: [UInt8] = []
    while true {
      let block = try file.bytes(at: bytes.count, count: blockByteCount)
      if bytes.isEmpty { bytes = block } else { bytes += block }
      guard bytes.count <= byteCountMax else { throw tooLarge }
      if block.count < blockByteCount { return bytes }
      // The size that was told is reached, as a rule the end: a small block makes sure.
      if bytes.count == file.identity.byteCount {
        let more = try file.bytes(at: bytes.count, count: 4096)
        if more.isEmpty { return bytes }
        bytes += more
      }
    }
  }

  /// Replaces a file, or makes it, so that nobody ever reads a part.
  package static func replace(
    _ path: String, with bytes: [UInt8], isPrivate: Bool = false
  ) throws(FileError) {
    let file = try ReplacementFile(path, isPrivate: isPrivate)
    try file.write(bytes.span)
    try file.commit()
  }
}

/// Small text files, as those of the kernel under /proc and /sys.
package enum KernelFile {
  private static let byteCountMax = 1 << 20

  /// The file's text, at most 1 MiB of it; nil where it cannot be read.
  package static func text(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while text.count < byteCountMax {
      let count = unsafe block.withUnsafeMutableBytes { bytes in
        unsafe read(descriptor, bytes.baseAddress, bytes.count)
      }
      guard count > 0 else { break }
      text += block[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Writes a text in one piece and returns whether the kernel took it.
  package static func write(_ text: String, to path: String) -> Bool {
    let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return FileWriting.writeAll(text.utf8.span, to: descriptor) == 0
  }
}
