import MoECore

extension OutputStyle {
  /// Llama 3.1 and later, and Llama 4. Without the marker, JSON is a call only where a turn begins
  /// with it and it has a call's members and no others.
  static let llama = OutputStyle(
    name: "llama", summary: "Calls as JSON, alone or after <|python_tag|>.",
    signs: [["<|python_tag|>"], ["<|eot|>", "\"parameters\""], ["<|eot_id|>", "\"parameters\""]],
    tools: OutputToolSyntax(
      openings: ["<|python_tag|>"], bareOpenings: [UInt8(ascii: "{")], endsThinking: true,
      makeReader: { opening, tools in
        OutputJSONCalls(
          OutputJSONCalls.Form(hasSemicolons: true, isStrict: opening.isEmpty), tools: tools)
      }))
}
