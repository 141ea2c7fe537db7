import MoECore

extension Tokenizer {
  /// The bytes that a token stands for, which need not be whole characters.
  ///
  /// None for ids outside the vocabulary and tokens that are unused; control and unknown tokens
  /// give their name with `renderSpecial` and nothing without.
  public func bytes(of token: Int32, renderSpecial: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    var isRunStart = false
    appendBytes(of: token, renderSpecial: renderSpecial, isRunStart: &isRunStart, to: &bytes)
    return bytes
  }

  /// The text of a sequence of tokens; bytes that are not UTF-8 become U+FFFD.
  ///
  /// Control tokens show their name unless `renderSpecial` is off, and a space that encoding puts
  /// before a run of text is left out: so decoding undoes encoding.
  public func decode(_ tokens: [Int32], renderSpecial: Bool = true) -> String {
    var bytes: [UInt8] = []
    var isRunStart = true
    for token in tokens {
      appendBytes(of: token, renderSpecial: renderSpecial, isRunStart: &isRunStart, to: &bytes)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a token writes in the middle of a text; nil for one that writes nothing of its own, such
  /// as a control token.
  package func bytes(of token: Int32) -> [UInt8]? {
    var (bytes, isRunStart) = ([UInt8](), false)
    appendBytes(of: token, renderSpecial: false, isRunStart: &isRunStart, to: &bytes)
    return bytes.isEmpty ? nil : bytes
  }

  /// `isRunStart` says whether the token is the first of a run of text, and is carried from token
  /// to token.
  func appendBytes(
    of token: Int32, renderSpecial: Bool, isRunStart: inout Bool, to bytes: inout [UInt8]
  ) {
    guard kinds.indices.contains(Int(token)) else { return }
    let text = texts[Int(token)]
    switch kinds[Int(token)] {
    case .normal:
      let start = bytes.count
      model.appendBytes(spelledBy: text, to: &bytes)
      let isPrefixed = isRunStart && model.addsSpacePrefix && start < bytes.count
      if isPrefixed && bytes[start] == UInt8(ascii: " ") { bytes.remove(at: start) }
      isRunStart = false
    case .byte:
      if let byte = byte(named: text) { bytes.append(byte) }
      isRunStart = false
    case .userDefined:
      bytes.append(contentsOf: text)
      isRunStart = true
    case .control, .unknown:
      if renderSpecial { bytes.append(contentsOf: text) }
      isRunStart = true
    case .undefined, .unused: break
    }
  }

  /// The byte that a token of the kind `byte` names, as in `<0x0A>`.
  private func byte(named text: ArraySlice<UInt8>) -> UInt8? {
    let name = String(decoding: text, as: UTF8.self)
    guard name.utf8.count == 6, name.hasPrefix("<0x"), name.hasSuffix(">") else { return nil }
    return UInt8(name.dropFirst(3).dropLast(), radix: 16)
  }
}
