extension PreTokenizerEntry {
  /// cl100k.
  static let glm4 = PreTokenizerEntry(
    name: "glm4", aliases: ["chatglm-bpe"], summary: "GLM-4, as Qwen2 with up to three digits."
  ) { WordSplitter(words: .runs(of: .letters), numberLengthMax: 3) }
}
