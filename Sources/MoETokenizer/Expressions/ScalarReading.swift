extension Span<UInt8> {
  /// The scalar at a byte index and its length; bytes that are not UTF-8 are U+FFFD, one by one.
  ///
  /// Text is UTF-8, but a special token of a hostile file may cut it within a character.
  func scalar(at index: Int) -> (value: UInt32, byteCount: Int) {
    let lead = self[index]
    let byteCount =
      switch lead {
      case 0..<0x80: 1
      case 0xC2..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF5: 4
      default: 0
      }
    guard byteCount > 0, index + byteCount <= count else { return (0xFFFD, 1) }
    if byteCount == 1 { return (UInt32(lead), 1) }
    var value = UInt32(lead) & (0x7F >> UInt32(byteCount))
    for offset in 1..<byteCount {
      let byte = self[index + offset]
      guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
      value = value << 6 | UInt32(byte & 0x3F)
    }
    return (value, byteCount)
  }

  /// The scalar at a byte index, its kind, and the index after it.
  func scalarKind(at index: Int) -> (scalar: UInt32, kind: UInt8, end: Int) {
    let (scalar, byteCount) = self.scalar(at: index)
    let kind =
      scalar < 0x10000 ? ScalarKind.table[Int(scalar)] : ScalarKind.beyondTable(scalar)
    return (scalar, kind, index + byteCount)
  }

  /// Where the scalar that ends before an index begins.
  func scalarStart(before index: Int) -> Int {
    var start = index - 1
    while start > 0, index - start < 4, self[start] & 0xC0 == 0x80 { start -= 1 }
    return start + scalar(at: start).byteCount == index ? start : index - 1
  }
}
