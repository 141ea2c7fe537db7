#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
import MoECore

/// Files that are read and written as a whole.
enum WholeFile {
  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// The bytes of a regular file of at most `byteCountMax`.
  static func contents(of path: String, byteCountMax: Int) throws(RoutingTraceError) -> [UInt8] {
    func refusal(_ problem: String) -> RoutingTraceError {
      RoutingTraceError(name: path, problem: problem, advice: "")
    }
    // Pipes and terminals must not make it wait.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0 else { throw refusal(systemMessage(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw refusal("it is not a regular file")
    }
    let tooLarge = "it is larger than \(ByteSize(byteCountMax))"
    guard status.st_size <= byteCountMax else { throw refusal(tooLarge) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(status.st_size))
    var block = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = unsafe block.withUnsafeMutableBytes { buffer in
        unsafe read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count == 0 { return bytes }
      guard count > 0 || errno == EINTR else { throw refusal(systemMessage(errno)) }
      if count > 0 { bytes += block[..<count] }
      // Some files, those of the kernel for example, hold more than they say.
      guard bytes.count <= byteCountMax else { throw refusal(tooLarge) }
    }
  }

  /// Writes a file beside `path` and renames it, so that nobody ever reads a part.
  static func replace(_ path: String, with bytes: [UInt8]) throws(RoutingTraceWriteError) {
    try RoutingTraceWriter.check(path)
    let draft = "\(path).\(getpid()).tmp"
    let mode: mode_t = 0o666
    let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else {
      throw RoutingTraceWriteError(path: path, reason: systemMessage(errno))
    }
    var (start, code): (Int, Int32) = (0, 0)
    while start < bytes.count && code == 0 {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(descriptor, buffer.baseAddress?.advanced(by: start), bytes.count - start)
      }
      if count >= 0 { start += count } else if errno != EINTR { code = errno }
    }
    if close(descriptor) != 0 && code == 0 { code = errno }
    if code == 0, unsafe rename(draft, path) != 0 { code = errno }
    guard code == 0 else {
      unsafe unlink(draft)
      throw RoutingTraceWriteError(path: path, reason: systemMessage(code))
    }
  }

  private static func systemMessage(_ code: Int32) -> String {
    unsafe String(cString: strerror(code))
  }
}
