/// Stored bytes to Swift values, and back.
extension StoredArray {
  /// All elements, widened to the types of `MetadataArray`.
  package var decoded: MetadataArray { decoded(countMax: .max) }

  /// The first elements, at most `countMax` at each depth of arrays in arrays: enough for a
  /// listing, whatever the array's size.
  package func decoded(countMax: Int) -> MetadataArray {
    Self.decoded(elementType, count, in: bytes, from: 0, countMax: countMax)
  }

  private static func decoded(
    _ type: ElementType, _ count: Int, in bytes: [UInt8], from start: Int, countMax: Int
  ) -> MetadataArray {
    let count = min(count, countMax)
    func elements<Stored: FixedWidthInteger & BitwiseCopyable, Element>(
      _ convert: (Stored) -> Element
    ) -> [Element] {
      (0..<count).map { index in
        convert(bytes.stored(Stored.self, at: start + index * MemoryLayout<Stored>.size) ?? 0)
      }
    }
    return switch type {
    case .uint8: .unsigned(elements { (value: UInt8) in UInt64(value) })
    case .uint16: .unsigned(elements { (value: UInt16) in UInt64(value) })
    case .uint32: .unsigned(elements { (value: UInt32) in UInt64(value) })
    case .uint64: .unsigned(elements { (value: UInt64) in value })
    case .int8: .signed(elements { (value: Int8) in Int64(value) })
    case .int16: .signed(elements { (value: Int16) in Int64(value) })
    case .int32: .signed(elements { (value: Int32) in Int64(value) })
    case .int64: .signed(elements { (value: Int64) in value })
    case .float32: .float(elements { (bits: UInt32) in Float(bitPattern: bits) })
    case .float64: .double(elements { (bits: UInt64) in Double(bitPattern: bits) })
    case .bool: .bool(elements { (byte: UInt8) in byte != 0 })
    case .string: .strings(strings(count, in: bytes, from: start))
    case .array: .nested(arrays(count, in: bytes, from: start, countMax: countMax))
    }
  }

  private static func strings(_ count: Int, in bytes: [UInt8], from start: Int) -> PackedStrings {
    let end = end(of: .string, count, in: bytes, from: start, depth: 1) ?? start
    var strings = PackedStrings()
    strings.reserveCapacity(count: count, byteCount: end - start - 8 * count)
    var position = start
    for _ in 0..<count {
      let length = Int(truncatingIfNeeded: bytes.stored(UInt64.self, at: position) ?? 0)
      strings.append(bytes[position + 8..<position + 8 + length])
      position += 8 + length
    }
    return strings
  }

  private static func arrays(
    _ count: Int, in bytes: [UInt8], from start: Int, countMax: Int
  ) -> [MetadataArray] {
    var position = start
    return (0..<count).compactMap { _ in
      guard let inner = InnerArray(in: bytes, at: position) else { return nil }
      // The depth was checked for the whole; from here it starts anew.
      position =
        end(of: inner.type, inner.count, in: bytes, from: inner.start, depth: 1) ?? bytes.count
      return decoded(
        inner.type, inner.count, in: bytes, from: inner.start, countMax: countMax)
    }
  }

  /// Values in their stored form, for sources that have no file. Nil where they nest too deep.
  package init?(_ array: MetadataArray) {
    let (type, bytes) = Self.stored(array)
    self.init(elementType: type, count: array.count, bytes: bytes)
  }

  private static func stored(_ array: MetadataArray) -> (ElementType, [UInt8]) {
    var bytes: [UInt8] = []
    func append<T: FixedWidthInteger>(_ value: T) {
      for shift in stride(from: 0, to: T.bitWidth, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
      }
    }
    switch array {
    case .unsigned(let values):
      values.forEach { append($0) }
      return (.uint64, bytes)
    case .signed(let values):
      values.forEach { append($0) }
      return (.int64, bytes)
    case .float(let values):
      values.forEach { append($0.bitPattern) }
      return (.float32, bytes)
    case .double(let values):
      values.forEach { append($0.bitPattern) }
      return (.float64, bytes)
    case .bool(let values): return (.bool, values.map { $0 ? 1 : 0 })
    case .strings(let values):
      for index in 0..<values.count {
        append(UInt64(values[index].count))
        bytes += values[index]
      }
      return (.string, bytes)
    case .nested(let values):
      for value in values {
        let (type, inner) = stored(value)
        append(type.rawValue)
        append(UInt64(value.count))
        bytes += inner
      }
      return (.array, bytes)
    }
  }
}
