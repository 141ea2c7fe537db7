extension OutputStyle {
  /// LFM2: calls as Python writes them, or as JSON where the prompt asks for that.
  static let lfm2 = OutputStyle(
    name: "lfm2", summary: "A list between <|tool_call_start|> and <|tool_call_end|>.",
    signs: [["<|tool_list_start|>"], ["<|tool_call_start|>"]],
    tools: OutputToolSyntax(
      openings: ["<|tool_call_start|>"], closings: [closing], endsThinking: true,
      makeReader: { _, tools in
        OutputEitherCalls { beginning in
          switch beginning.last {
          case UInt8(ascii: "[") where beginning.count == 1: nil
          case UInt8(ascii: "{"):
            OutputJSONCalls(OutputJSONCalls.Form(closings: [closing]), tools: tools)
          default: OutputPythonCalls(closing: closing, tools: tools)
          }
        }
      }))

  private static let closing = "<|tool_call_end|>"
}
