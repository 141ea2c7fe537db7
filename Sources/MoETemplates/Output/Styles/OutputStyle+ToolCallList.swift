import MoECore

extension OutputStyle {
  /// Granite 3, and Phi-4-mini, which has a marker at the end besides.
  static let toolCallList = OutputStyle(
    name: "tool-call-list", summary: "A JSON array after <|tool_call|>.",
    signs: [["<|tool_call|>"]],
    tools: OutputToolSyntax(
      openings: ["<|tool_call|>"], closings: ["<|/tool_call|>"],
      makeReader: { _, tools in OutputJSONCalls(OutputJSONCalls.Form(), tools: tools) }))
}
