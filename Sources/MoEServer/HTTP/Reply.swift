import HTTPTypes
import MoECore

/// What is answered to a request.
struct Reply: Sendable {
  enum Body: Sendable {
    case bytes([UInt8])
    /// Written piece by piece.
    case stream(@Sendable (StreamWriter) async throws -> Void)
  }

  var status: Int
  var headers: HTTPFields
  var body: Body

  init(status: Int = 200, contentType: String, headers: HTTPFields = [:], _ body: Body) {
    self.status = status
    self.headers = headers
    self.headers[.contentType] = contentType
    self.body = body
  }

  static func json(_ value: JSON, status: Int = 200) -> Reply {
    Reply(
      status: status, contentType: "application/json; charset=utf-8",
      .bytes(Array(value.jsonText.utf8)))
  }

  /// - Parameter json: The error, in the form of who is told.
  static func error(_ error: APIError, as json: JSON) -> Reply {
    var reply = Reply.json(json, status: error.status)
    if let seconds = error.retrySeconds { reply.headers[.retryAfter] = "\(seconds)" }
    return reply
  }

  /// Server-sent events.
  static func events(_ write: @escaping @Sendable (StreamWriter) async throws -> Void) -> Reply {
    Reply(
      contentType: "text/event-stream; charset=utf-8",
      // Proxies are not to collect what is written for now.
      headers: [.cacheControl: "no-cache", .accelBuffering: "no"], .stream(write))
  }
}

extension HTTPField.Name {
  /// Tells nginx not to buffer a response.
  static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .cacheControl
  static let apiKey = HTTPField.Name("X-Api-Key") ?? .authorization
  static let requestPrivateNetwork =
    HTTPField.Name("Access-Control-Request-Private-Network") ?? .accessControlRequestMethod
  static let allowPrivateNetwork =
    HTTPField.Name("Access-Control-Allow-Private-Network") ?? .accessControlAllowOrigin
  static let referrerPolicy = HTTPField.Name("Referrer-Policy") ?? .cacheControl
  static let frameOptions = HTTPField.Name("X-Frame-Options") ?? .cacheControl
}
