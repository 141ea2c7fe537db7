extension OutputStyle {
  static let gemma = OutputStyle(
    name: "gemma", summary: "Calls and thinking as Gemma 4 writes them.",
    signs: [["<|tool_call>call:"], ["<|channel>thought"]],
    thinking: OutputThinking(opening: "<|channel>thought", closing: "<channel|>"),
    tools: OutputToolSyntax(
      openings: ["<|tool_call>"], closings: [OutputGemmaCalls.closing], endsThinking: true,
      makeReader: { _, _ in OutputGemmaCalls() }),
    ignored: ["<|tool_response>"])
}
