extension OutputStyle {
  /// Solar Open. Each section of a turn is a message of its own.
  static let solar = OutputStyle(
    name: "solar", summary: "Messages for thinking, calls and content.",
    signs: [["<|tool_call:begin|>"]],
    thinking: OutputThinking(opening: "<|think|>", closing: "<|end|>"),
    tools: OutputToolSyntax(
      openings: ["<|tool_calls|>"], closings: ["<|calls|>"], endsThinking: true,
      makeReader: { _, _ in OutputHeadedCalls(form) }),
    ignored: ["<|begin|>assistant", "<|content|>", "<|end|>"])

  private static let form = OutputHeadedCalls.Form(
    callOpening: "<|tool_call:begin|>", argumentsOpening: "<|tool_call:args|>",
    callClosing: "<|tool_call:end|>", sectionClosing: "<|calls|>",
    head: { text in
      let mark = "<|tool_call:name|>"
      guard let end = OutputBytes.firstIndex(of: mark, in: text) else { return nil }
      return OutputCallHead(
        id: OutputBytes.string(OutputBytes.trimmed(text[..<end])),
        name: OutputBytes.string(OutputBytes.trimmed(text[(end + mark.utf8.count)...])))
    })
}
