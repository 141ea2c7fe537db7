/// What a token is for; raw values are those of `tokenizer.ggml.token_type`.
enum TokenKind: UInt8, Sendable {
  case undefined = 0
  case normal = 1
  case unknown = 2
  /// Steers the model and is not text of its own: begin, end, roles of a chat.
  case control = 3
  /// Text that is cut out before everything else, and is shown as it is.
  case userDefined = 4
  case unused = 5
  case byte = 6

  /// Whether text without special tokens can be made of tokens of this kind.
  var isText: Bool { self == .normal || self == .userDefined }

  /// Whether tokens of this kind are recognised in text where special tokens are parsed.
  var isSpecial: Bool { self == .control || self == .unknown || self == .userDefined }
}
