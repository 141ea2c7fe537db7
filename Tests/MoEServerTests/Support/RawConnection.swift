import Foundation
import Glibc

/// A TCP connection to a server of the tests, with which anything can be sent.
///
/// Its calls block threads of their own, so that none of those that the server's tasks need does.
final class RawConnection: @unchecked Sendable {
  // Sendable because a test uses a connection from one place at a time.
  private let descriptor: Int32
  private var isOpen = true

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// What a test waits for at most: a server that hangs fails it.
  static let secondsMax = 120

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(description: "no socket") }
    var limit = timeval(tv_sec: Self.secondsMax, tv_usec: 0)
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      Glibc.close(descriptor)
      throw Failure(description: "port \(port) can't be reached: \(errno)")
    }
  }

  deinit { close() }

  func close() {
    if isOpen { Glibc.close(descriptor) }
    isOpen = false
  }

  /// Says that nothing more is sent.
  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  /// Throws where the server has closed the connection.
  func send(_ bytes: [UInt8]) async throws {
    let descriptor = descriptor
    let isSent = await onThread {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes {
          unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count <= 0 { return false }
        rest = rest.dropFirst(count)
      }
      return true
    }
    if !isSent { throw Failure(description: "the server closed the connection") }
  }

  /// What has come; empty at the end. Throws where nothing comes for long.
  func receive() async throws -> [UInt8] {
    let descriptor = descriptor
    let (count, bytes, code) = await onThread {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
      }
      let code = errno
      return (count, Array(buffer.prefix(max(0, count))), code)
    }
    if count < 0, code == EAGAIN { throw Failure(description: "the server sent nothing for long") }
    return bytes
  }

  private func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: work()) }
    }
  }
}
