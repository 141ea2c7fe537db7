extension OutputStyle {
  /// Kimi K2. A call's id is `functions.name:number`, and the only place of its name.
  static let kimiK2 = OutputStyle(
    name: "kimi-k2", summary: "Calls between <|tool_calls_section_begin|> and its end.",
    signs: [["<|tool_calls_section_begin|>"]],
    tools: OutputToolSyntax(
      openings: ["<|tool_calls_section_begin|>"], closings: ["<|tool_calls_section_end|>"],
      endsThinking: true,
      makeReader: { _, _ in OutputHeadedCalls(form) }))

  private static let form = OutputHeadedCalls.Form(
    callOpening: "<|tool_call_begin|>", argumentsOpening: "<|tool_call_argument_begin|>",
    callClosing: "<|tool_call_end|>", sectionClosing: "<|tool_calls_section_end|>",
    head: { text in
      let id = OutputBytes.string(OutputBytes.trimmed(text))
      var name = id[...]
      if name.hasPrefix("functions.") { name = name.dropFirst("functions.".count) }
      if let colon = name.lastIndex(of: ":"), name[colon...].dropFirst().allSatisfy(\.isNumber) {
        name = name[..<colon]
      }
      return OutputCallHead(id: id, name: String(name))
    })
}
