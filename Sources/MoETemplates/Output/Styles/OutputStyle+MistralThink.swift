extension OutputStyle {
  /// Magistral and later models of Mistral.
  static let mistralThink = OutputStyle(
    name: "mistral-think", summary: "Thinking between [THINK] and [/THINK].",
    signs: [["[THINK]"]], thinking: OutputThinking(opening: "[THINK]", closing: "[/THINK]"))
}
