extension OutputStyle {
  /// DeepSeek-R1 and later, Qwen3, GLM, MiniMax-M2, Nemotron, Step, Ling. The prompt may have
  /// opened the section. A closing tag before any content is dropped.
  static let think = OutputStyle(
    name: "think", summary: "Thinking between <think> and </think>.",
    signs: [["<think>"], ["</think>"]],
    thinking: OutputThinking(opening: "<think>", closing: "</think>"))
}
