/// Single elements, without decoding the others.
extension StoredArray {
  /// The kind of element and their number, for messages.
  package var summary: String {
    let elements =
      switch elementType {
      case .float32, .float64: "numbers"
      case .bool: "booleans"
      case .string: "strings"
      case .array: "arrays"
      default: "integers"
      }
    return "an array of \(count) \(elements)"
  }

  /// The number or truth value that all elements are; nil where they differ or are none.
  package var common: MetadataValue? {
    guard count > 0, let byteCount = elementType.byteCount,
      (byteCount..<bytes.count).allSatisfy({ bytes[$0] == bytes[$0 - byteCount] })
    else { return nil }
    return decoded(countMax: 1).scalar(at: 0)
  }

  /// An element as an integer; nil where it is none, does not fit, or lies outside the array. Whole
  /// floating-point numbers count, as in `MetadataValue`.
  package func integer(at index: Int) -> Int? {
    guard (0..<count).contains(index) else { return nil }
    switch elementType {
    case .uint8: return bytes.stored(UInt8.self, at: index).map { Int($0) }
    case .int8: return bytes.stored(Int8.self, at: index).map { Int($0) }
    case .uint16: return bytes.stored(UInt16.self, at: index * 2).map { Int($0) }
    case .int16: return bytes.stored(Int16.self, at: index * 2).map { Int($0) }
    case .uint32: return bytes.stored(UInt32.self, at: index * 4).map { Int($0) }
    case .int32: return bytes.stored(Int32.self, at: index * 4).map { Int($0) }
    case .uint64: return bytes.stored(UInt64.self, at: index * 8).flatMap { Int(exactly: $0) }
    case .int64: return bytes.stored(Int64.self, at: index * 8).map { Int($0) }
    case .float32, .float64: return number(at: index).flatMap { Int(exactly: $0) }
    case .bool, .string, .array: return nil
    }
  }

  /// An element as a number; nil where it is none or lies outside the array.
  package func number(at index: Int) -> Double? {
    guard (0..<count).contains(index) else { return nil }
    switch elementType {
    case .float32:
      return bytes.stored(UInt32.self, at: index * 4).map { Double(Float(bitPattern: $0)) }
    case .float64: return bytes.stored(UInt64.self, at: index * 8).map { Double(bitPattern: $0) }
    case .uint64: return bytes.stored(UInt64.self, at: index * 8).map { Double($0) }
    default: return integer(at: index).map { Double($0) }
    }
  }

  /// An element as true or false; nil where it is neither. Integers 0 and 1 count.
  package func boolean(at index: Int) -> Bool? {
    if elementType == .bool {
      return (0..<count).contains(index) ? bytes[index] != 0 : nil
    }
    guard elementType != .float32, elementType != .float64 else { return nil }
    return switch integer(at: index) {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Calls `body` with all elements in place; nil where the file stores them as another type.
  package func withElements<Element: StoredElement, Result>(
    as type: Element.Type = Element.self, _ body: (Span<Element>) -> Result
  ) -> Result? {
    guard elementType == Element.storedType else { return nil }
    // An array's storage is aligned for every number, and it was checked to hold `count` of them.
    return unsafe bytes.withUnsafeBytes { buffer in
      unsafe body(buffer.bindMemory(to: Element.self).span)
    }
  }

  /// The strings in place; nil where the elements are none.
  package var strings: StoredStrings? {
    elementType == .string ? StoredStrings(bytes: bytes, count: count) : nil
  }
}

/// A number that a file stores as this machine holds it: little-endian, like all supported ones.
package protocol StoredElement: BitwiseCopyable {
  static var storedType: StoredArray.ElementType { get }
}

extension UInt8: StoredElement {
  package static var storedType: StoredArray.ElementType { .uint8 }
}
extension Int8: StoredElement {
  package static var storedType: StoredArray.ElementType { .int8 }
}
extension UInt16: StoredElement {
  package static var storedType: StoredArray.ElementType { .uint16 }
}
extension Int16: StoredElement {
  package static var storedType: StoredArray.ElementType { .int16 }
}
extension UInt32: StoredElement {
  package static var storedType: StoredArray.ElementType { .uint32 }
}
extension Int32: StoredElement {
  package static var storedType: StoredArray.ElementType { .int32 }
}
extension UInt64: StoredElement {
  package static var storedType: StoredArray.ElementType { .uint64 }
}
extension Int64: StoredElement {
  package static var storedType: StoredArray.ElementType { .int64 }
}
extension Float: StoredElement {
  package static var storedType: StoredArray.ElementType { .float32 }
}
extension Double: StoredElement {
  package static var storedType: StoredArray.ElementType { .float64 }
}
