extension OutputStyle {
  static let plain = OutputStyle(name: "plain", summary: "Content without markers.", signs: [])
}
