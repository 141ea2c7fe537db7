/// A pre-tokenizer by the name that `tokenizer.ggml.pre` gives it.
package struct PreTokenizerEntry: Sendable {
  package let name: String
  /// Other names for the same, which files of other families have.
  package var aliases: [String] = []
  package let summary: String
  /// Whether a word that is a token becomes it without merges.
  var keepsWholeWords = false
  /// Whether texts begin with the begin token where the file does not say.
  var addsBeginToken = false
  let make: @Sendable () -> any PreTokenizer

  /// The words of a text, to look at what a pre-tokenizer does: joined, they are the text.
  package func words(of text: String) -> [String] {
    let (bytes, preTokenizer) = (Array(text.utf8), make())
    var words: [String] = []
    var start = 0
    while start < bytes.count {
      let end = preTokenizer.wordEnd(in: bytes.span, from: start)
      words.append(String(decoding: bytes[start..<end], as: UTF8.self))
      start = end
    }
    return words
  }
}

/// Every pre-tokenizer there is, one line each.
package enum PreTokenizerRegistry {
  package static let all: [PreTokenizerEntry] = [
    .gpt2, .qwen2, .qwen35, .llama3, .dbrx, .glm4, .gpt4o, .deepSeekCoder,
  ]

  /// What a file means that names none: GPT-2 was the only one when files did not name it.
  static let defaultName = "gpt-2"

  /// What some converters write where they know none.
  static let unnamed = "default"

  /// The names and aliases in the order of the registry.
  package static var names: [String] { all.flatMap { [$0.name] + $0.aliases } }

  static func entry(named name: String) -> PreTokenizerEntry? {
    all.first { $0.name == name || $0.aliases.contains(name) }
  }
}
