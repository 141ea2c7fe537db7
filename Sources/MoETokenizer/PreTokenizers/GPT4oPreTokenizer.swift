extension PreTokenizerEntry {
  /// o200k, with letters of all scripts by their case; llama.cpp looks at that of ASCII alone.
  static let gpt4o = PreTokenizerEntry(
    name: "gpt-4o", aliases: ["o200k", "llama4", "minimax-m2"],
    summary: "GPT-4o and gpt-oss: words end where capitals begin."
  ) { WordSplitter(words: .capitalised, numberLengthMax: 3, symbolsTakeSlashes: true) }
}
