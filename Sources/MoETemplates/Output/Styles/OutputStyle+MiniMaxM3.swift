extension OutputStyle {
  /// MiniMax-M3. Without thinking a turn begins with the closing tag.
  static let miniMaxM3 = OutputStyle(
    name: "minimax-m3", summary: "Nested tags with a mark, and <mm:think>.",
    signs: [["]<]minimax[>["]],
    thinking: OutputThinking(opening: "<mm:think>", closing: "</mm:think>"),
    tools: OutputToolSyntax(
      openings: [OutputNestedCalls.opening], closings: [OutputNestedCalls.closing],
      endsThinking: true,
      makeReader: { _, tools in OutputNestedCalls(tools: tools) }))
}
