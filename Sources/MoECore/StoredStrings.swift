/// The strings of a metadata array where they lie, found by number.
///
/// It shares the array's bytes and adds 4 bytes a string: some 800 KB for a vocabulary of 200,000.
/// The strings are bytes that need not be UTF-8.
package struct StoredStrings: Sendable {
  private let bytes: [UInt8]
  /// Where each string's text begins, behind its length in 64 bits.
  private let starts: [UInt32]

  /// `bytes` hold `count` strings, as `StoredArray` has checked.
  init(bytes: [UInt8], count: Int) {
    self.bytes = bytes
    var position = 0
    starts = (0..<count).map { _ in
      let start = position + 8
      position = start + Self.byteCount(in: bytes, endingAt: start)
      return UInt32(start)
    }
  }

  package var count: Int { starts.count }

  /// Bytes of all texts together, without their lengths.
  package var textByteCount: Int { bytes.count - 8 * count }

  /// The bytes of string `index`.
  package subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

  /// The same as a span, for loops over many strings.
  @_lifetime(borrow self)
  package func span(at index: Int) -> Span<UInt8> { bytes.span.extracting(range(index)) }

  /// The text of string `index`, with bytes that are not UTF-8 replaced.
  package func string(at index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

  private func range(_ index: Int) -> Range<Int> {
    let start = Int(starts[index])
    return start..<start + Self.byteCount(in: bytes, endingAt: start)
  }

  /// The length that stands in the 8 bytes before `start`; it was checked to fit.
  private static func byteCount(in bytes: [UInt8], endingAt start: Int) -> Int {
    Int(truncatingIfNeeded: bytes.stored(UInt64.self, at: start - 8) ?? 0)
  }
}
