extension OutputStyle {
  /// GLM-4.5 and later, Ling 3.
  static let glm = OutputStyle(
    name: "glm", summary: "Calls as a name with <arg_key> and <arg_value> tags.",
    signs: [["<arg_key>"]],
    tools: OutputToolSyntax(
      openings: ["<tool_call>"], closings: ["</tool_call>"],
      makeReader: { _, tools in OutputTaggedCalls(form, tools: tools) }))

  private static let form = OutputTaggedCalls.Form(
    callOpening: nil, nameEnd: nil, callClosing: "</tool_call>", keyOpening: "<arg_key>",
    keyEnd: "</arg_key>", valueOpening: "<arg_value>", valueClosing: "</arg_value>")
}
