extension OutputStyle {
  /// Command A and later models of Cohere.
  static let cohere = OutputStyle(
    name: "cohere", summary: "Sections between markers as <|START_ACTION|>.",
    signs: [["<|START_ACTION|>"]],
    thinking: OutputThinking(opening: "<|START_THINKING|>", closing: "<|END_THINKING|>"),
    tools: OutputToolSyntax(
      openings: ["<|START_ACTION|>"], closings: ["<|END_ACTION|>"], endsThinking: true,
      makeReader: { _, tools in
        OutputJSONCalls(OutputJSONCalls.Form(closings: ["<|END_ACTION|>"]), tools: tools)
      }),
    ignored: [
      "<|START_TEXT|>", "<|END_TEXT|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>",
    ])
}
