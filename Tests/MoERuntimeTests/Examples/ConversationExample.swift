import MoERuntime

func converse(with engine: Engine) async throws -> [Message] {
  let chat = try engine.chat(template: .model)
  let clock = Tool(
    name: "time", summary: "What time it is in a city.",
    parameters: #"{"type": "object", "properties": {"city": {"type": "string"}}}"#)
  var options = GenerationOptions()
  options.tokenCountMax = 60
  var messages = [Message(.system, "Be brief."), Message(.user, "What time is it in Quito?")]

  for _ in 0..<3 {
    var answer = Message(.assistant, "")
    for try await event in try chat.answer(messages, tools: [clock], options) {
      switch event {
      case .text(let piece): answer.text += piece
      case .thinking(let piece): answer.thinking = (answer.thinking ?? "") + piece
      case .toolCall(let call): answer.toolCalls.append(call)
      case .unfinishedCall: break
      case .finish(let reason, let statistics):
        print("\(reason): \(statistics.promptTokenCount) tokens read")
      }
    }
    messages.append(answer)
    if answer.toolCalls.isEmpty { break }
    for call in answer.toolCalls {
      let result = call.problems.first ?? "a quarter past nine"
      messages.append(Message(.tool, result, toolCallID: call.id))
    }
  }
  return messages
}
