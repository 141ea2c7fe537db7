import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// Writes conversations for a model, as its template allows.
struct ChatPrompt {
  let model: ServedModel
  let tools: ToolUse
  let variables: [String: TemplateVariable]
  /// The member of the request that the conversation is in.
  let messagesName: String

  /// The conversation up to where the model goes on: a last message of the assistant is not closed.
  func segments(_ messages: [ChatMessage]) throws(APIError) -> [PromptSegment] {
    guard let last = messages.last, last.role == "assistant" else { return try render(messages) }
    let text = last.text
    guard !text.isEmpty, last.toolCalls.isEmpty else {
      throw .invalid(
        messagesName,
        "the last message is the assistant's, but has no text to go on with; end with another role")
    }
    if messages.dropLast().last?.role == "assistant" {
      throw .invalid(
        messagesName, "the last two messages are both the assistant's; join them, or leave one out")
    }
    if let cut = Self.cut(try render(messages), after: text) { return cut }
    // The template does not show the text as it is: the answer begins with it all the same.
    let opened = try render(Array(messages.dropLast()))
    if case .markup(let end)? = opened.last,
      OutputStyle.opensThinking(prompt: end, styles: model.format.styles)
    {
      throw .invalid(
        messagesName,
        "the model's chat template has it think first, so no answer can be given to go on with")
    }
    return opened + [.text(text)]
  }

  /// The prompt up to the end of a text that a message has.
  private static func cut(_ segments: [PromptSegment], after text: String) -> [PromptSegment]? {
    let (trimmed, tail) = TextSearch.trimmed(text)
    for (wanted, missing) in [(text, ""), (trimmed, tail)] {
      for (index, segment) in segments.enumerated().reversed() {
        guard case .text(let shown) = segment,
          let end = TextSearch.lastEnd(of: Array(wanted.utf8), in: Array(shown.utf8))
        else { continue }
        let kept = String(decoding: Array(shown.utf8).prefix(end), as: UTF8.self)
        return segments.prefix(index) + [.text(kept + missing)]
      }
    }
    return nil
  }

  /// Renders a conversation. System messages that the template refuses or leaves out go to the
  /// front, and where it knows none, before what the user says first.
  private func render(_ messages: [ChatMessage]) throws(APIError) -> [PromptSegment] {
    let systems = messages.filter { $0.role == "system" }.map(\.text)
    if systems.isEmpty { return try prompt(messages) }
    var (failure, shown): (APIError?, [PromptSegment]?) = (nil, nil)
    for candidate in [messages, Self.merged(messages, systems), Self.folded(messages, systems)] {
      do {
        let prompt = try prompt(candidate)
        if Self.shows(prompt, systems) { return prompt }
        shown = shown ?? prompt
      } catch {
        failure = failure ?? error
      }
    }
    if let shown { return shown }
    throw failure ?? .invalid(messagesName, "the conversation can't be written for the model")
  }

  private func prompt(_ messages: [ChatMessage]) throws(APIError) -> [PromptSegment] {
    do {
      return try model.format.prompt(messages, tools: tools.definitions, variables: variables)
    } catch {
      throw .invalid(messagesName, "\(error)", code: "template_error")
    }
  }

  private static func shows(_ prompt: [PromptSegment], _ texts: [String]) -> Bool {
    var all: [UInt8] = []
    for segment in prompt {
      if case .text(let text) = segment { all += text.utf8 }
    }
    return texts.allSatisfy { text in
      let wanted = Array(TextSearch.trimmed(text).text.utf8)
      return wanted.isEmpty || TextSearch.lastEnd(of: wanted, in: all) != nil
    }
  }

  private static func merged(_ messages: [ChatMessage], _ systems: [String]) -> [ChatMessage] {
    [ChatMessage(role: "system", text: systems.joined(separator: "\n\n"))]
      + messages.filter { $0.role != "system" }
  }

  private static func folded(_ messages: [ChatMessage], _ systems: [String]) -> [ChatMessage] {
    var rest = messages.filter { $0.role != "system" }
    let text = systems.joined(separator: "\n\n")
    if let first = rest.first, first.role == "user" {
      rest[0].content = .text(text + "\n\n" + first.text)
    } else {
      rest.insert(ChatMessage(role: "user", text: text), at: 0)
    }
    return rest
  }
}

extension ChatMessage {
  /// What it says, its parts joined.
  var text: String {
    switch content {
    case .text(let text): text
    case .parts(let parts): parts.compactMap { $0["text"]?.string }.joined()
    case nil: ""
    }
  }
}
