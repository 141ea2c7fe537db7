import MoECore
import MoEServer
import Testing

/// What a server of the tests has answered.
struct HTTPAnswer: Sendable {
  var status = 0
  /// By names in small letters.
  var headers: [String: String] = [:]
  var body: [UInt8] = []

  var text: String { String(decoding: body, as: UTF8.self) }

  var json: JSON { get throws { try JSON(text: text) } }

  /// What is wrong, by OpenAI's form.
  var error: JSON { get throws { try #require(json["error"]) } }

  /// The events of a stream, and the comments between them.
  var events: [StreamEvent] { StreamEvent.all(text) }

  /// The events alone.
  var dataEvents: [StreamEvent] { events.filter { $0.comment == nil } }
}

/// An event of a stream.
struct StreamEvent: Sendable, Equatable {
  var name: String?
  var data = ""
  var comment: String?

  var json: JSON { get throws { try JSON(text: data) } }

  static func all(_ text: String) -> [StreamEvent] {
    var events: [StreamEvent] = []
    for block in text.split(separator: "\n\n", omittingEmptySubsequences: true) {
      var event = StreamEvent()
      for line in block.split(separator: "\n") {
        if line.hasPrefix("data: ") { event.data += line.dropFirst(6) }
        if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
        if line.hasPrefix(":") { event.comment = String(line.dropFirst(2)) }
      }
      events.append(event)
    }
    return events
  }
}

/// Asks a server of the tests, over a connection of its own for each request.
struct HTTPClient: Sendable {
  let port: Int

  func get(_ path: String, headers: [String: String] = [:]) async throws -> HTTPAnswer {
    try await send("GET", path, headers: headers)
  }

  func post(
    _ path: String, _ json: JSON, headers: [String: String] = [:]
  ) async throws -> HTTPAnswer {
    try await send("POST", path, headers: headers, body: Array(json.jsonText.utf8))
  }

  func send(
    _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = []
  ) async throws -> HTTPAnswer {
    let connection = try RawConnection(port: port)
    defer { connection.close() }
    try await connection.send(Self.head(method, path, headers, byteCount: body.count))
    // A server that refuses a request may close while it is sent.
    try? await connection.send(body)
    return try await HTTPReader(connection).answer(isHead: method == "HEAD")
  }

  /// Begins a request whose answer is read as it comes.
  func open(_ path: String, _ json: JSON) async throws -> HTTPReader {
    let connection = try RawConnection(port: port)
    let body = Array(json.jsonText.utf8)
    try await connection.send(Self.head("POST", path, [:], byteCount: body.count) + body)
    return HTTPReader(connection)
  }

  static func head(
    _ method: String, _ path: String, _ headers: [String: String], byteCount: Int
  ) -> [UInt8] {
    var text = "\(method) \(path) HTTP/1.1\r\n"
    if headers["Host"] == nil { text += "Host: localhost\r\n" }
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if byteCount > 0 || method == "POST" { text += "Content-Length: \(byteCount)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

/// Reads answers from a connection.
final class HTTPReader: @unchecked Sendable {
  // Sendable because a test uses it from one place at a time.
  let connection: RawConnection
  private var received: [UInt8] = []

  init(_ connection: RawConnection) { self.connection = connection }

  private func more() async throws -> Bool {
    let bytes = try await connection.receive()
    received += bytes
    return !bytes.isEmpty
  }

  private func line() async throws -> String {
    while true {
      if let end = received.firstIndex(of: 0x0A) {
        let line = received[..<end].filter { $0 != 0x0D }
        received.removeFirst(end + 1)
        return String(decoding: line, as: UTF8.self)
      }
      guard try await more() else {
        throw RawConnection.Failure(description: "the answer ends within its head")
      }
    }
  }

  private func take(_ count: Int) async throws -> [UInt8] {
    while received.count < count {
      guard try await more() else {
        throw RawConnection.Failure(description: "the answer ends within its body")
      }
    }
    defer { received.removeFirst(count) }
    return Array(received.prefix(count))
  }

  /// Status and headers; those of interim answers too.
  func head() async throws -> HTTPAnswer {
    var answer = HTTPAnswer()
    let words = try await line().split(separator: " ")
    answer.status = words.count > 1 ? Int(words[1]) ?? 0 : 0
    while true {
      let line = try await line()
      if line.isEmpty { return answer }
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      answer.headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
  }

  /// The next chunk of a body in chunks; nil at its end.
  func chunk() async throws -> [UInt8]? {
    let size = Int(try await line().prefix { $0 != ";" }, radix: 16) ?? 0
    let bytes = try await take(size)
    _ = try await line()
    return size == 0 ? nil : bytes
  }

  func answer(isHead: Bool = false) async throws -> HTTPAnswer {
    var answer = try await head()
    while answer.status == 100 { answer = try await head() }
    if isHead || answer.status == 204 { return answer }
    if answer.headers["transfer-encoding"] == "chunked" {
      while let bytes = try await chunk() { answer.body += bytes }
    } else {
      answer.body = try await take(Int(answer.headers["content-length"] ?? "0") ?? 0)
    }
    return answer
  }
}
