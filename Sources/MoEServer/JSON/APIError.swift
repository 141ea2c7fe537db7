import MoECore
import MoERuntime

/// What is answered instead of what was asked for: a status, and one clear sentence.
struct APIError: Error, Sendable {
  var status: Int
  var type: String
  var message: String
  /// The member of the request that is at fault.
  var parameter: String?
  var code: String?
  /// Seconds after which it is worth trying again.
  var retrySeconds: Int?
  /// What may be done in place of what was.
  var allowedMethods: String?
  /// Members that some kinds have besides.
  var details: [JSONMember] = []

  /// The request is not as it must be.
  static func invalid(_ parameter: String?, _ message: String, code: String? = nil) -> APIError {
    APIError(
      status: 400, type: "invalid_request_error", message: message, parameter: parameter,
      code: code)
  }

  /// A member whose effect can't be given: nobody is to believe that it had one.
  static func unsupported(_ parameter: String, _ message: String) -> APIError {
    invalid(parameter, message, code: "unsupported_parameter")
  }

  static func notFound(_ message: String) -> APIError {
    APIError(status: 404, type: "not_found_error", message: message, code: "not_found")
  }

  static func unavailable(_ message: String, code: String) -> APIError {
    APIError(
      status: 503, type: "unavailable_error", message: message, code: code, retrySeconds: 1)
  }

  static let loading = unavailable(
    "the model is still loading; try again soon", code: "model_loading")

  static let draining = unavailable(
    "the server is shutting down and takes no more requests", code: "shutting_down")

  /// Whoever asked has gone, so nobody reads this.
  static let clientLeft = APIError(
    status: 499, type: "client_closed_request", message: "the client closed the connection")

  /// The error as it is written, by OpenAI's form.
  var json: JSON {
    let error: JSON = [
      "message": .string(message), "type": .string(type), "param": .text(parameter),
      "code": .text(code),
    ]
    guard case .object(let members) = error else { return error }
    return ["error": .object(members + details)]
  }
}

extension APIError {
  /// What an engine's error means to a client.
  init(_ error: EngineError) {
    switch error {
    case .contextExceeded(let tokenCount, let contextLength):
      self = .contextExceeded(tokenCount: tokenCount, contextLength: contextLength)
    case .queueFull:
      self.init(
        status: 429, type: "rate_limit_error", message: "\(error)", code: "queue_full",
        retrySeconds: 1)
    case .invalidOption, .invalidToken, .emptyPrompt, .textTooShort, .gating, .grammar:
      self = .invalid(nil, "\(error)")
    case .template: self = .invalid("messages", "\(error)", code: "template_error")
    case .unloaded, .cancelled: self = .draining
    case .format, .model, .tokenizer, .experts, .store, .incompleteFile, .trace, .outOfMemory,
      .budgetTooSmall, .damagedWeight, .logitsAreNoNumbers, .output:
      self.init(status: 503, type: "server_error", message: "\(error)", code: Self.engineCode)
    }
  }

  /// The code of errors that are nobody's who asks.
  static let engineCode = "engine_error"

  /// A prompt that does not fit the context.
  static func contextExceeded(tokenCount: Int, contextLength: Int) -> APIError {
    let cause = EngineError.contextExceeded(tokenCount: tokenCount, contextLength: contextLength)
    var error = APIError(
      status: 400, type: "exceed_context_size_error", message: "\(cause)",
      code: "context_length_exceeded")
    error.details = [
      JSONMember(name: "n_prompt_tokens", value: .integer(tokenCount)),
      JSONMember(name: "n_ctx", value: .integer(contextLength)),
    ]
    return error
  }

  /// Whatever was thrown.
  init(_ error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as EngineError: self.init(error)
    case is CancellationError: self = .clientLeft
    default:
      self.init(status: 503, type: "server_error", message: "\(error)", code: Self.engineCode)
    }
  }
}
