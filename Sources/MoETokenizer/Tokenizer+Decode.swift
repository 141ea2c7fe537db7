import MoECore

extension Tokenizer {
  /// The bytes that a token stands for, which need not be whole characters.
  ///
  /// None for ids outside the vocabulary and tokens that are unused; control and unknown tokens
  /// give their name with `renderSpecial` and nothing without.
  public func bytes(of token: Int32, renderSpecial: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    appendBytes(of: token, renderSpecial: renderSpecial, to: &bytes)
    return bytes
  }

  /// The text of a sequence of tokens; bytes that are not UTF-8 become U+FFFD.
  ///
  /// Control tokens show their name unless `renderSpecial` is off: so decoding undoes encoding.
  public func decode(_ tokens: [Int32], renderSpecial: Bool = true) -> String {
    var bytes: [UInt8] = []
    for token in tokens { appendBytes(of: token, renderSpecial: renderSpecial, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  func appendBytes(of token: Int32, renderSpecial: Bool, to bytes: inout [UInt8]) {
    guard kinds.indices.contains(Int(token)) else { return }
    let text = texts[Int(token)]
    switch kinds[Int(token)] {
    case .normal: appendBytes(spelledBy: text, to: &bytes)
    case .userDefined: bytes.append(contentsOf: text)
    case .control, .unknown: if renderSpecial { bytes.append(contentsOf: text) }
    case .byte: if let byte = byte(named: text) { bytes.append(byte) }
    case .undefined, .unused: break
    }
  }

  /// Appends the bytes that the characters of a normal token stand for, or, if one of them stands
  /// for none (added words in plain spelling), the text as it is.
  private func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    let countBefore = bytes.count
    let span = text.span
    var index = 0
    while index < span.count {
      let (scalar, byteCount) = span.scalar(at: index)
      guard let byte = ByteAlphabet.byte(for: scalar) else {
        bytes.removeSubrange(countBefore...)
        bytes.append(contentsOf: text)
        return
      }
      bytes.append(byte)
      index += byteCount
    }
  }

  /// The byte that a token of the kind `byte` names, as in `<0x0A>`.
  private func byte(named text: ArraySlice<UInt8>) -> UInt8? {
    let name = String(decoding: text, as: UTF8.self)
    guard name.utf8.count == 6, name.hasPrefix("<0x"), name.hasSuffix(">") else { return nil }
    return UInt8(name.dropFirst(3).dropLast(), radix: 16)
  }
}
