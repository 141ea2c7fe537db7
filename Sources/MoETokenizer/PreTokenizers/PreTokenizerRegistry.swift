/// A pre-tokenizer by the name that `tokenizer.ggml.pre` gives it.
package struct PreTokenizerEntry: Sendable {
  package let name: String
  package let summary: String
  let make: @Sendable () -> any PreTokenizer
}

/// Every pre-tokenizer there is, one line each.
package enum PreTokenizerRegistry {
  package static let all: [PreTokenizerEntry] = [
    PreTokenizerEntry(name: "gpt-2", summary: "GPT-2.") { GPT2PreTokenizer() },
    PreTokenizerEntry(name: "olmo", summary: "OLMo and OLMoE; as GPT-2.") { GPT2PreTokenizer() },
    PreTokenizerEntry(name: "qwen2", summary: "Qwen2 and Qwen3, single digits.") {
      Qwen2PreTokenizer(numberLengthMax: 1)
    },
    PreTokenizerEntry(name: "glm4", summary: "GLM-4, as Qwen2 with up to three digits.") {
      Qwen2PreTokenizer(numberLengthMax: 3)
    },
  ]

  /// What a file means that names none: GPT-2 was the only one when files did not name it.
  static let defaultName = "gpt-2"

  /// The names in the order of the registry.
  package static var names: [String] { all.map(\.name) }

  static func entry(named name: String) -> PreTokenizerEntry? { all.first { $0.name == name } }
}
