extension OutputStyle {
  static let miniMaxM2 = OutputStyle(
    name: "minimax-m2", summary: "Calls as <invoke> tags in <minimax:tool_call>.",
    signs: [["<minimax:tool_call>"]],
    tools: OutputToolSyntax(
      openings: ["<minimax:tool_call>"], closings: ["</minimax:tool_call>"], endsThinking: true,
      makeReader: { _, tools in OutputTaggedCalls(form, tools: tools) }))

  private static let form = OutputTaggedCalls.Form(
    callOpening: "<invoke ", nameEnd: ">", callClosing: "</invoke>", keyOpening: "<parameter ",
    keyEnd: ">", valueClosing: "</parameter>", sectionClosing: "</minimax:tool_call>",
    name: { OutputAttributes.value(of: "name", in: $0) },
    key: { (OutputAttributes.value(of: "name", in: $0) ?? "", nil) })
}
