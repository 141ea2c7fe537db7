/// Numbers with their lowest byte first, as files have them.
extension [UInt8] {
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    var rest = value
    for _ in 0..<value.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  package mutating func append(_ bytes: ByteView) {
    unsafe append(contentsOf: UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count))
  }
}

/// Reads numbers one after the other from bytes that may be anything.
package struct LittleEndianReader {
  private let bytes: [UInt8]
  package private(set) var position = 0

  package init(_ bytes: [UInt8], from position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  package var remainingCount: Int { bytes.count - position }

  /// Nil where the bytes end.
  package mutating func next<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    let count = Number.bitWidth / 8
    guard remainingCount >= count else { return nil }
    var value: Number = 0
    for index in (0..<count).reversed() { value = value << 8 | Number(bytes[position + index]) }
    position += count
    return value
  }

  /// A number that must not be negative or beyond what an `Int` holds; nil where it is, or where
  /// the bytes end.
  package mutating func nextCount<Number: FixedWidthInteger>(_ type: Number.Type) -> Int? {
    next(type).flatMap { Int(exactly: $0) }
  }
}
