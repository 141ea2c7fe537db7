/// The words of GPT-2, OLMo and many others (Radford et al. 2019):
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct GPT2PreTokenizer: PreTokenizer {
  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
    if let end = text.contractionEnd(from: start, ignoringCase: false) { return end }
    let body = text[start] == UInt8(ascii: " ") ? start + 1 : start
    if body < text.count {
      let first = text.scalarClass(at: body)
      if ScalarClasses.letters.contains(first.class) {
        return text.runEnd(of: .letters, from: first.end)
      }
      if first.class == .number { return text.runEnd(of: .number, from: first.end) }
      if first.class != .space { return text.runEnd(of: .others, from: first.end) }
    }
    return text.spaceEnd(from: start)
  }
}

extension PreTokenizerEntry {
  static let gpt2 = PreTokenizerEntry(
    name: "gpt-2", aliases: ["olmo", "phi-2", "mpt", "jais", "trillion", "granite-docling"],
    summary: "GPT-2, OLMo and OLMoE."
  ) { GPT2PreTokenizer() }
}
