#if TLS
  import Foundation
  import Glibc

  /// A port of this machine; each connection is served on a thread of its own.
  final class Listener: Sendable {
    let port: Int
    private let descriptor: Int32

    struct Failure: Error {}

    init() throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let descriptor = descriptor
      let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
            && getsockname(descriptor, $0, &length) == 0
        }
      }
      guard code else { throw Failure() }
      port = Int(UInt16(bigEndian: address.sin_port))
    }

    func start(_ serve: @escaping @Sendable (Connection) -> Void) {
      let descriptor = descriptor
      Thread.detachNewThread {
        while true {
          let accepted = unsafe accept(descriptor, nil, nil)
          guard accepted >= 0 else { break }
          Thread.detachNewThread { serve(Connection(descriptor: accepted)) }
        }
        close(descriptor)
      }
    }

    /// Wakes the thread that waits for connections, which then ends.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
  }

  /// The server's side of a connection, for one request.
  final class Connection {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// The path and the headers, their names in small letters.
    func readHead() -> (path: String, headers: [String: String])? {
      var bytes: [UInt8] = []
      while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
        var byte: UInt8 = 0
        guard unsafe recv(descriptor, &byte, 1, 0) == 1, bytes.count < 65_536 else { return nil }
        bytes.append(byte)
      }
      let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
      let parts = lines[0].split(separator: " ")
      guard parts.count == 3, parts[0] == "GET" else { return nil }
      var headers: [String: String] = [:]
      for line in lines.dropFirst() {
        let halves = line.split(separator: ":", maxSplits: 1)
        guard halves.count == 2 else { continue }
        headers[halves[0].lowercased()] = halves[1].trimmingCharacters(in: .whitespaces)
      }
      return (String(parts[1]), headers)
    }

    /// Sends an answer and returns how much of its body went out.
    func send(_ answer: FakeHub.Answer) -> Int {
      var head = "HTTP/1.1 \(answer.status) Status\r\nConnection: close\r\n"
      for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
      if let count = answer.declaredByteCount { head += "Content-Length: \(count)\r\n" }
      guard send(Array((head + "\r\n").utf8)) else { return 0 }
      var (rest, count) = (answer.body.prefix(answer.cut ?? .max), 0)
      while !rest.isEmpty {
        if answer.pause > .zero {
          usleep(UInt32(answer.pause.components.attoseconds / 1_000_000_000_000))
        }
        let part = Array(rest.prefix(16_384))
        guard send(part) else { return count }
        rest = rest.dropFirst(part.count)
        count += part.count
      }
      var byte: UInt8 = 0
      if answer.isHeld { while unsafe recv(descriptor, &byte, 1, 0) > 0 {} }
      return count
    }

    private func send(_ bytes: [UInt8]) -> Bool {
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
  }
#endif
