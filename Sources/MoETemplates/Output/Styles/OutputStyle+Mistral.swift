extension OutputStyle {
  /// Mistral: a JSON array, or since 2025 a name and its arguments after each marker.
  static let mistral = OutputStyle(
    name: "mistral", summary: "Calls after [TOOL_CALLS].", signs: [["[TOOL_CALLS]"]],
    tools: OutputToolSyntax(
      openings: ["[TOOL_CALLS]"], endsThinking: true,
      makeReader: { _, tools in
        OutputEitherCalls { beginning in
          switch beginning.first {
          case UInt8(ascii: "["), UInt8(ascii: "{"):
            OutputJSONCalls(OutputJSONCalls.Form(), tools: tools)
          default: OutputHeadedCalls(form)
          }
        }
      }))

  private static let form = OutputHeadedCalls.Form(
    callOpening: nil, argumentsOpening: "[ARGS]", callClosing: nil,
    head: { text in
      let mark = "[CALL_ID]"
      guard let end = OutputBytes.firstIndex(of: mark, in: text) else {
        return OutputCallHead(name: OutputBytes.string(OutputBytes.trimmed(text)))
      }
      return OutputCallHead(
        id: OutputBytes.string(OutputBytes.trimmed(text[(end + mark.utf8.count)...])),
        name: OutputBytes.string(OutputBytes.trimmed(text[..<end])))
    })
}
