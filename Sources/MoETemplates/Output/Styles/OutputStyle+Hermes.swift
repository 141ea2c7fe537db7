import MoECore

extension OutputStyle {
  /// Hermes 2 Pro, Qwen2.5, Qwen3, Granite 4.
  static let hermes = OutputStyle(
    name: "hermes", summary: "Each call as JSON between <tool_call> and </tool_call>.",
    signs: [["<tool_call>"]],
    tools: OutputToolSyntax(
      openings: ["<tool_call>"], closings: ["</tool_call>"],
      makeReader: { _, tools in
        OutputJSONCalls(
          OutputJSONCalls.Form(closings: ["</tool_call>"], openings: ["<tool_call>"]), tools: tools)
      }))
}
