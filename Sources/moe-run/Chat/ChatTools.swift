import MoERuntime
import MoETemplates

extension ChatTools {
  /// From a file with a JSON array of functions. Throws where it has something else.
  init(file path: String) throws(Failure) {
    let text = try InputText.file(path)
    do {
      try self.init(json: text, place: "in '\(path)'")
    } catch {
      throw .runtime(error.description)
    }
  }

  /// What is wrong with a call, in sentences; nothing where it is as its tool wants it.
  func problems(of call: Conversation.Call) -> [String] {
    guard let tool = outputs.first(where: { $0.name == call.name }) else {
      return ["no tool is called '\(call.name)'"]
    }
    return tool.problems(arguments: call.arguments)
  }
}
