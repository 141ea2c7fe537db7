import MoECore
import MoETokenizer

extension Endpoint {
  static let applyTemplate = Endpoint(
    method: .post, path: "/apply-template",
    summary: "Gives a conversation as the model is to read it.", family: "llama-server",
    request: RequestSchema.chatCompletion
  ) { exchange in
    let model = try exchange.model()
    let chat = try ChatCompletionRequest(exchange, model).chat
    let variables = exchange.core.hooks.templateVariables.merging(chat.variables) { $1 }
    let prompt = try ChatPrompt(
      model: model, tools: chat.tools, variables: variables, messagesName: chat.messagesName
    ).segments(chat.messages)
    let text = prompt.map { segment in
      switch segment {
      case .markup(let text), .text(let text): text
      case .token(let token): model.tokenizer.decode([token])
      }
    }
    return .json(["prompt": .string(text.joined())])
  }
}
