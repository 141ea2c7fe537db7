import HummingbirdCore
import MoECore
import NIOCore

/// Writes a response piece by piece. Throws where the client has gone.
final class StreamWriter {
  private var writer: any ResponseBodyWriter
  private let scope: RequestScope

  init(_ writer: any ResponseBodyWriter, scope: RequestScope) {
    self.writer = writer
    self.scope = scope
  }

  func write(_ text: String) async throws {
    if let end = scope.end, end.status == APIError.clientLeft.status { throw end }
    if !text.isEmpty { try await writer.write(ByteBuffer(string: text)) }
  }

  func write(_ events: [ServerSentEvent]) async throws {
    try await write(events.map(\.text).joined())
  }

  /// Ends the response.
  func finish() async throws { try await writer.finish(nil) }
}

/// One event of a stream: what browsers' `EventSource` reads.
enum ServerSentEvent: Sendable {
  /// - Parameter name: The kind of event, where a protocol has several.
  case data(JSON, name: String? = nil)
  /// The end of streams by OpenAI's form.
  case done
  /// What clients pass over.
  case comment(String)

  var text: String {
    switch self {
    case .data(let json, nil): "data: \(json.jsonText)\n\n"
    case .data(let json, let name?): "event: \(name)\ndata: \(json.jsonText)\n\n"
    case .done: "data: [DONE]\n\n"
    case .comment(let text): ": \(text)\n\n"
    }
  }
}
