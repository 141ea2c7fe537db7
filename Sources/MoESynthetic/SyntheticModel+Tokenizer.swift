extension SyntheticModel {
  /// A byte-level vocabulary that can spell any text: one token per byte, then pairs of letters
  /// with their merges, then filler words that no merge makes, then `<|endoftext|>`.
  static func tokenizer(vocabularySize: Int) -> [(key: String, value: GGUFValue)] {
    precondition(vocabularySize > 256, "a vocabulary has 256 bytes and an end-of-text token")
    let letters = "abcdefghijklmnopqrstuvwxyz"
    let pairs = letters.flatMap { first in letters.map { (first, $0) } }
      .prefix(vocabularySize - 257)
    var tokens = byteTokens + pairs.map { "\($0)\($1)" }
    tokens += (0..<vocabularySize - 1 - tokens.count).map { "\u{120}w\($0)" }
    tokens.append("<|endoftext|>")
    let (normal, control): (Int32, Int32) = (1, 3)
    let types = Array(repeating: normal, count: vocabularySize - 1) + [control]
    let end = UInt32(vocabularySize - 1)
    return [
      ("tokenizer.ggml.model", .string("gpt2")),
      ("tokenizer.ggml.pre", .string("gpt-2")),
      ("tokenizer.ggml.tokens", .strings(tokens)),
      ("tokenizer.ggml.token_type", .array(types.map { .int32($0) })),
      ("tokenizer.ggml.merges", .strings(pairs.map { "\($0) \($1)" })),
      ("tokenizer.ggml.bos_token_id", .uint32(end)),
      ("tokenizer.ggml.eos_token_id", .uint32(end)),
      ("tokenizer.ggml.add_bos_token", .bool(false)),
    ]
  }

  /// The printable character that stands for each byte in byte-level vocabularies: itself where it
  /// prints, else the next one from U+0100 on.
  private static var byteTokens: [String] {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return String(Unicode.Scalar(byte))
      default:
        defer { next += 1 }
        return Unicode.Scalar(next).map { String($0) } ?? ""
      }
    }
  }
}
