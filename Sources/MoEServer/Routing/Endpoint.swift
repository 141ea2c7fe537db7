import MoECore

/// One thing that the server can be asked for.
struct Endpoint: Sendable {
  enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
  }

  /// How its errors are written.
  enum ErrorForm: Sendable {
    case openAI, anthropic

    func json(_ error: APIError) -> JSON {
      switch self {
      case .openAI: error.json
      case .anthropic: AnthropicError.json(error)
      }
    }
  }

  let method: Method
  /// Without `/v1`, which may stand before it. With a last part of `{id}` it has a parameter: all
  /// that stands there, slashes included.
  let path: String
  /// One sentence, for the description of the interface.
  let summary: String
  /// The group it belongs to, for that description and for metrics.
  let family: String
  /// Whether a key is needed where there is one.
  var needsKey = true
  var errorForm = ErrorForm.openAI
  /// The members of its request, as JSON schema; nil where it has no body.
  var request: JSON?
  let respond: @Sendable (Exchange) async throws -> Reply
  /// Reads a request for texts; nil where none are written.
  var read: (@Sendable (Exchange, ServedModel) throws -> TextRequest)?

  static let parameterEnd = "/{id}"

  /// One that writes texts, as a whole or in a stream.
  static func writing(
    path: String, summary: String, family: String, errorForm: ErrorForm = .openAI, request: JSON,
    _ read: @escaping @Sendable (Exchange, ServedModel) throws -> TextRequest
  ) -> Endpoint {
    Endpoint(
      method: .post, path: path, summary: summary, family: family, errorForm: errorForm,
      request: request,
      respond: { exchange in
        let model = try exchange.model()
        let request = try read(exchange, model)
        let events = AnswerWriter(exchange, model: model).write(request.answer)
        if request.isStreamed { return try await request.encoder.reply(events) }
        return .json(try await request.json(events, scope: exchange.scope))
      }, read: read)
  }
}

/// A request for texts that has been read: what is to be written, and how that is told.
struct TextRequest: Sendable {
  var answer: AnswerRequest
  let isStreamed: Bool
  let encoder: any AnswerEncoder

  /// The answer as a whole.
  func json(
    _ events: AsyncThrowingStream<AnswerEvent, any Error>, scope: RequestScope
  ) async throws -> JSON {
    try await encoder.json(of: events, count: answer.textCount, scope: scope)
  }
}

/// A request that has found its endpoint.
struct Exchange: Sendable {
  let core: ServerCore
  let scope: RequestScope
  /// What stands at `{id}` in the endpoint's path.
  let parameter: String
  let body: Body
  let memory: BodyMemory

  enum Body: Sendable {
    /// As it came.
    case text([UInt8])
    case value(JSON)
  }

  /// The model; throws while it loads.
  func model() throws(APIError) -> ServedModel { try core.model() }

  /// The body as an object.
  func fields(_ unknown: UnknownFields) throws(APIError) -> RequestFields {
    switch body {
    case .text(let bytes): try RequestFields(RequestText.json(bytes, memory), unknown: unknown)
    case .value(let json): try RequestFields(json, unknown: unknown)
    }
  }
}
