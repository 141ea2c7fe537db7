/// An array of a model's metadata as its file stores it, decoded only where somebody asks.
///
/// A vocabulary has hundreds of thousands of elements: as Swift values they would cost several
/// times their bytes, and most readers of a header want none of them. The bytes are little-endian
/// elements one after the other; a string follows its length in 64 bits, an inner array its element
/// type in 32 bits and its count in 64. They are checked once; reading elements then cannot fail.
package struct StoredArray: Sendable, Equatable {
  /// What the elements are, by the number that stands in the file.
  package enum ElementType: UInt32, Sendable, CaseIterable {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64
    case float64

    /// Bytes of each element; nil for those that vary.
    package var byteCount: Int? {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      case .string, .array: nil
      }
    }

    /// The fewest bytes that an element takes.
    package var byteCountMin: Int { byteCount ?? (self == .string ? 8 : 12) }
  }

  /// Known files have arrays of arrays at most; the bound keeps a hostile one from the stack's end.
  package static let depthMax = 8

  package let elementType: ElementType
  package let count: Int
  /// All elements.
  package let bytes: [UInt8]

  /// Nil where `bytes` are not exactly `count` elements, or take more than 4 GiB.
  package init?(elementType: ElementType, count: Int, bytes: [UInt8]) {
    guard bytes.count <= UInt32.max,
      Self.end(of: elementType, count, in: bytes, from: 0, depth: 1) == bytes.count
    else { return nil }
    self.elementType = elementType
    self.count = count
    self.bytes = bytes
  }

  /// Where `count` elements end that begin at `start`; nil where they go on past the bytes.
  static func end(
    of type: ElementType, _ count: Int, in bytes: [UInt8], from start: Int, depth: Int
  ) -> Int? {
    guard count >= 0, depth <= depthMax else { return nil }
    if let elementByteCount = type.byteCount {
      let (byteCount, overflow) = count.multipliedReportingOverflow(by: elementByteCount)
      return overflow || byteCount > bytes.count - start ? nil : start + byteCount
    }
    var position = start
    for _ in 0..<count {
      if type == .string {
        guard let length = bytes.stored(UInt64.self, at: position),
          length <= UInt64(bytes.count - position - 8)
        else { return nil }
        position += 8 + Int(length)
      } else {
        guard let inner = InnerArray(in: bytes, at: position),
          let end = end(
            of: inner.type, inner.count, in: bytes, from: inner.start, depth: depth + 1)
        else { return nil }
        position = end
      }
    }
    return position
  }

  /// The head of an array in an array.
  struct InnerArray {
    let type: ElementType
    let count: Int
    /// Where its elements begin.
    let start: Int

    init?(in bytes: [UInt8], at position: Int) {
      guard let number = bytes.stored(UInt32.self, at: position),
        let type = ElementType(rawValue: number),
        let count = bytes.stored(UInt64.self, at: position + 4).flatMap({ Int(exactly: $0) })
      else { return nil }
      self.type = type
      self.count = count
      start = position + 12
    }
  }
}

extension [UInt8] {
  /// The little-endian number at a byte offset; nil where the bytes end before it does.
  func stored<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T? {
    guard offset >= 0, offset <= count, count - offset >= MemoryLayout<T>.size else { return nil }
    return unsafe T(
      littleEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }
}
