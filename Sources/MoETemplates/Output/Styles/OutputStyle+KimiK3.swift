extension OutputStyle {
  /// Kimi K3. The prompt opens thinking or the response.
  static let kimiK3 = OutputStyle(
    name: "kimi-k3", summary: "Sections between <|open|> and <|close|> tags.",
    signs: [["<|open|>", "<|close|>"]],
    thinking: OutputThinking(
      opening: "<|open|>think<|sep|>", closing: "<|close|>think<|sep|>"),
    tools: OutputToolSyntax(
      openings: ["<|open|>tools<|sep|>"], closings: ["<|close|>tools<|sep|>"], endsThinking: true,
      makeReader: { _, tools in OutputTaggedCalls(form, tools: tools) }),
    ignored: [
      "<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>",
      "<|end_of_msg|>",
    ])

  private static let form = OutputTaggedCalls.Form(
    callOpening: "<|open|>call ", nameEnd: "<|sep|>", callClosing: "<|close|>call<|sep|>",
    keyOpening: "<|open|>argument ", keyEnd: "<|sep|>", valueClosing: "<|close|>argument<|sep|>",
    wholeOpening: "<|open|>json type=\"object\"<|sep|>", wholeClosing: "<|close|>json<|sep|>",
    sectionClosing: "<|close|>tools<|sep|>",
    name: { OutputAttributes.value(of: "tool", in: $0) },
    key: { text in
      let type = OutputAttributes.value(of: "type", in: text)
      return (OutputAttributes.value(of: "key", in: text) ?? "", type.map { $0 == "string" })
    })
}
