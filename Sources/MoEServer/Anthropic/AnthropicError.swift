import MoECore

/// Errors as Anthropic's clients read them.
enum AnthropicError {
  static func json(_ error: APIError) -> JSON {
    JSON.members(["type": "error"]).adding(["error": error.json["error"]])
  }
}
