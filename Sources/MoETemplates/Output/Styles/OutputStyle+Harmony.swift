extension OutputStyle {
  static let harmony = OutputStyle(
    name: "harmony", summary: "Messages in channels, as gpt-oss writes them.",
    signs: [["<|channel|>", "<|message|>"]],
    contentMarker: "<|channel|>final<|message|>", makeMachine: { _ in OutputHarmony() })
}
