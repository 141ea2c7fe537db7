/// Tokens at which generation stops.
///
/// Files name one end of sequence, sometimes an end of turn and of message, and rarely all that a
/// chat model was trained to stop at; so tokens with a well-known text count as well.
enum EndOfGeneration {
  private static let texts = [
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>",
    "<|flush|>", "<end_of_turn>", "<turn|>", "<|tool_response>", "<|endoftext|>",
    "<|end_of_text|>", "<end_of_utterance>", "</s>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
    "<｜end▁of▁sentence｜>", "[e~[",
    // Ends of files in code that is filled in: what follows belongs to another file.
    "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
  ]

  /// The tokens that end generation by their text, in whatever kind the file has them: llama.cpp
  /// does the same, down to the `</s>` that Qwen's vocabulary has as a normal token.
  ///
  /// Where a turn is ended by `<|return|>` or `<|call|>`, or by `<|calls|>` or `<|flush|>`,
  /// `<|end|>` only ends a message within it. Where tools answer in `<|tool_response>`, `</s>` is
  /// the end of struck-out text in a page.
  static func tokens(in vocabulary: TokenTextTable) -> [Int32] {
    func token(_ text: String) -> Int32? { vocabulary.token(for: Array(text.utf8).span) }
    func has(_ names: String...) -> Bool { names.allSatisfy { token($0) != nil } }
    var others: Set<String> = []
    if has("<|return|>", "<|call|>") || has("<|calls|>", "<|flush|>") { others.insert("<|end|>") }
    if has("<|tool_response>") { others.insert("</s>") }
    return texts.filter { !others.contains($0) }.compactMap(token)
  }
}
