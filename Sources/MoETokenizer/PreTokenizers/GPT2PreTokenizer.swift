/// The words of GPT-2, OLMo and many others (Radford et al. 2019):
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct GPT2PreTokenizer: PreTokenizer {
  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
    if let end = text.contractionEnd(from: start, ignoringCase: false) { return end }
    let body = text[start] == UInt8(ascii: " ") ? start + 1 : start
    if body < text.count {
      let first = text.scalarClass(at: body)
      if first.class != .space { return text.runEnd(of: first.class, from: first.end) }
    }
    return text.spaceEnd(from: start)
  }
}
