extension OutputStyle {
  /// DeepSeek V3.2 (`function_calls`) and V4 (`tool_calls`). Each argument says whether it is text.
  static let dsml = OutputStyle(
    name: "dsml", summary: "Calls in tags with the mark ｜DSML｜.",
    signs: [["｜DSML｜"]],
    tools: OutputToolSyntax(
      openings: sections.map { "<｜DSML｜\($0)>" }, closings: sections.map { "</｜DSML｜\($0)>" },
      endsThinking: true,
      makeReader: { opening, tools in
        OutputTaggedCalls(form("</" + opening.dropFirst()), tools: tools)
      }))

  private static let sections = ["tool_calls", "function_calls"]

  private static func form(_ sectionClosing: String) -> OutputTaggedCalls.Form {
    OutputTaggedCalls.Form(
      callOpening: "<｜DSML｜invoke ", nameEnd: ">", callClosing: "</｜DSML｜invoke>",
      keyOpening: "<｜DSML｜parameter ", keyEnd: ">", valueClosing: "</｜DSML｜parameter>",
      sectionClosing: sectionClosing,
      name: { OutputAttributes.value(of: "name", in: $0) },
      key: { text in
        let kind = OutputAttributes.value(of: "string", in: text)
        return (OutputAttributes.value(of: "name", in: text) ?? "", kind.map { $0 == "true" })
      })
  }
}
