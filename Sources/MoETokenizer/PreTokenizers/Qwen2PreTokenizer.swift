extension PreTokenizerEntry {
  /// cl100k with every digit by itself.
  static let qwen2 = PreTokenizerEntry(
    name: "qwen2", aliases: ["deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez"],
    summary: "Qwen2 and Qwen3, single digits."
  ) { WordSplitter(words: .runs(of: .letters), numberLengthMax: 1) }

  /// Marks belong to words.
  static let qwen35 = PreTokenizerEntry(
    name: "qwen35", summary: "Qwen3.5: as Qwen2 with accents as parts of words."
  ) { WordSplitter(words: .runs(of: [.letters, .mark]), numberLengthMax: 1) }
}
