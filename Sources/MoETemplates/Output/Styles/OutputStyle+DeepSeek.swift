extension OutputStyle {
  /// DeepSeek V3.1, and V3 and R1, which put the word `function` before the name and the arguments
  /// in a fence of Markdown.
  static let deepSeek = OutputStyle(
    name: "deepseek", summary: "Calls between <｜tool▁calls▁begin｜> and its end.",
    signs: [["<｜tool▁calls▁begin｜>"]],
    tools: OutputToolSyntax(
      openings: ["<｜tool▁calls▁begin｜>"], closings: ["<｜tool▁calls▁end｜>"], endsThinking: true,
      makeReader: { _, _ in OutputHeadedCalls(form) }))

  private static let separator = "<｜tool▁sep｜>"

  private static let form = OutputHeadedCalls.Form(
    callOpening: "<｜tool▁call▁begin｜>", argumentsOpening: nil,
    callClosing: "<｜tool▁call▁end｜>", sectionClosing: "<｜tool▁calls▁end｜>", dropsFence: true,
    head: { text in
      guard let end = OutputBytes.firstIndex(of: separator, in: text) else { return nil }
      let first = OutputBytes.trimmed(text[..<end])
      let rest = OutputBytes.trimmed(text[(end + separator.utf8.count)...])
      if first.elementsEqual("function".utf8) && !rest.isEmpty {
        let name = OutputBytes.trimmed(rest.prefix { $0 != 0x0A })
        return OutputCallHead(name: OutputBytes.string(name))
      }
      return OutputCallHead(name: OutputBytes.string(first), arguments: rest)
    })
}
