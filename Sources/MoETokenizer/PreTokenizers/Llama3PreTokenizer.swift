extension PreTokenizerEntry {
  /// cl100k; words that are tokens are not merged, and texts begin with the begin token.
  static let llama3 = PreTokenizerEntry(
    name: "llama-bpe",
    aliases: ["llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
    summary: "Llama 3: up to three digits, whole words first.",
    keepsWholeWords: true, addsBeginToken: true
  ) { WordSplitter(words: .runs(of: .letters), numberLengthMax: 3) }

  /// cl100k.
  static let dbrx = PreTokenizerEntry(
    name: "dbrx", aliases: ["smaug-bpe"], summary: "DBRX: as Llama 3, always merged."
  ) { WordSplitter(words: .runs(of: .letters), numberLengthMax: 3) }
}
