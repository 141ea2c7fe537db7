extension OutputStyle {
  /// Qwen3-Coder, Qwen3.5, Nemotron 3, Step 3.5. Models forget the outer tag now and then.
  static let qwenCoder = OutputStyle(
    name: "qwen-coder", summary: "Calls as <function=name> with <parameter=key> tags.",
    signs: [["<function="]],
    tools: OutputToolSyntax(
      openings: ["<tool_call>", callOpening], closings: ["</tool_call>"],
      makeReader: { opening, tools in
        OutputTaggedCalls(form, tools: tools, isInName: opening == callOpening)
      }))

  private static let callOpening = "<function="

  private static let form = OutputTaggedCalls.Form(
    callOpening: callOpening, nameEnd: ">", callClosing: "</function>",
    keyOpening: "<parameter=", keyEnd: ">", valueClosing: "</parameter>",
    sectionClosing: "</tool_call>", hasLines: true)
}
