import MoECore
import MoETemplates

/// The tools that a request offers to the model, and what it may do with them.
struct ToolUse: Sendable {
  var definitions: [ToolDefinition] = []
  var outputs: [OutputTool] = []
  /// Names of those whose calls are refused where their arguments don't fit.
  var strictNames: Set<String> = []
  /// Whether the answer may have several calls.
  var isParallel = true

  static let none = ToolUse()

  var isEmpty: Bool { outputs.isEmpty }

  /// Throws where a call is none that a client can make: its arguments are no JSON, or do not fit a
  /// tool that is strict about them.
  func check(name: String, arguments: String) throws(APIError) {
    do {
      _ = try JSON(text: arguments)
    } catch {
      throw Self.invalidCall(
        "the model called \(name.quotedForMessage) with arguments that are no JSON: \(error)")
    }
    guard strictNames.contains(name), let tool = outputs.first(where: { $0.name == name }),
      let problem = tool.problems(arguments: arguments).first
    else { return }
    throw Self.invalidCall(
      "the model called \(name.quotedForMessage) with arguments that its schema, which is strict, "
        + "does not allow: \(problem)")
  }

  static func invalidCall(_ message: String) -> APIError {
    APIError(
      status: 422, type: "invalid_tool_call", message: message, parameter: "tools",
      code: "invalid_tool_call")
  }
}
