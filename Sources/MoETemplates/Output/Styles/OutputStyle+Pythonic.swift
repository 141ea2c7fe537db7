extension OutputStyle {
  /// Llama 3.2 and 4 with a template that asks for it. A list is one of calls only where a turn
  /// begins with it and it names a tool.
  static let pythonic = OutputStyle(
    name: "pythonic", summary: "A list of calls as Python writes it.",
    signs: [["[func_name1("], ["[func1("]],
    tools: OutputToolSyntax(
      openings: [], bareOpenings: [UInt8(ascii: "[")],
      makeReader: { _, tools in OutputPythonCalls(closing: nil, tools: tools) }))
}
