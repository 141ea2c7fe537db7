import Foundation
import Glibc

/// A program that runs in a terminal of its own, as a person uses it.
final class Terminal {
  private let process = Process()
  private let scratch: Scratch
  private let descriptor: Int32
  /// Everything that was on the screen so far, control sequences included.
  private(set) var screen = ""
  private var bytes: [UInt8] = []

  struct Refused: Error {}

  struct Stuck: Error {
    let wanted: String
    let screen: String
  }

  init(_ arguments: [String], columns: UInt16 = 80) throws {
    scratch = try Scratch()
    var (main, other): (Int32, Int32) = (0, 0)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard unsafe openpty(&main, &other, nil, nil, &size) == 0 else { throw Refused() }
    descriptor = main
    _ = fcntl(main, F_SETFL, O_NONBLOCK)
    let handle = FileHandle(fileDescriptor: other, closeOnDealloc: false)
    process.executableURL = Program.url
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment
      .merging(["XDG_CACHE_HOME": scratch.url("cache").path, "TERM": "xterm"]) { $1 }
    process.standardInput = handle
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    close(other)
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    close(descriptor)
  }

  func resize(columns: UInt16) {
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = unsafe ioctl(descriptor, UInt(TIOCSWINSZ), &size)
  }

  /// Types a text, which the program may take in pieces.
  func type(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 { rest = rest.dropFirst(count) } else { take() }
      usleep(1000)
    }
  }

  /// Blocks until a text has come to the screen after what `wait` has seen before.
  @discardableResult
  func wait(for text: String, seconds: Double = 120) throws -> String {
    let limit = Date().addingTimeInterval(seconds)
    while true {
      take()
      if let found = screen.range(of: text) {
        let before = String(screen[..<found.upperBound])
        screen = String(screen[found.upperBound...])
        return before
      }
      guard Date() < limit, process.isRunning || !screen.isEmpty else {
        throw Stuck(wanted: text, screen: String(screen.suffix(2000)))
      }
      if !process.isRunning {
        take()
        if !screen.contains(text) { throw Stuck(wanted: text, screen: screen) }
      }
      usleep(5000)
    }
  }

  /// Blocks until the program has ended; its exit code.
  func end() throws -> Int32 {
    let limit = Date().addingTimeInterval(60)
    while process.isRunning {
      take()
      guard Date() < limit else { throw Stuck(wanted: "its end", screen: screen) }
      usleep(5000)
    }
    return process.terminationStatus
  }

  private func take() {
    var block = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe block.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
      }
      guard count > 0 else { break }
      bytes += block[..<count]
    }
    // Characters may be cut between two reads.
    var end = bytes.count
    while end > 0, end > bytes.count - 4, String(validating: bytes[..<end], as: UTF8.self) == nil {
      end -= 1
    }
    screen += String(decoding: bytes[..<end], as: UTF8.self)
    bytes.removeFirst(end)
  }
}
