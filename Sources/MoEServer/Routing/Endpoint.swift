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

  static let parameterEnd = "/{id}"
}

/// A request that has found its endpoint.
struct Exchange: Sendable {
  let core: ServerCore
  let scope: RequestScope
  /// What stands at `{id}` in the endpoint's path.
  let parameter: String
  let body: [UInt8]
  let memory: BodyMemory

  /// The model; throws while it loads.
  func model() throws(APIError) -> ServedModel { try core.model() }

  /// The body as an object.
  func fields(_ unknown: UnknownFields) throws(APIError) -> RequestFields {
    try RequestFields(RequestText.json(body, memory), unknown: unknown)
  }
}
