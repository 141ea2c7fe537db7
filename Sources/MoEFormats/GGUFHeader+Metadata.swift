internal import MoECore

extension GGUFHeader {
  /// Length of a key, one byte of key, type, one byte of value.
  static let entryByteCountMin = 8 + 1 + 4 + 1
  /// The specification's bound for keys; tensor names are far shorter in practice.
  static let nameByteCountMax = 65_535

  private typealias ValueType = StoredArray.ElementType

  static func readMetadata(
    _ reader: inout ByteReader, count: Int
  ) throws(FormatError) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    for index in 0..<count {
      reader.subject = .keyNumber(index)
      let key = try readName(&reader)
      reader.subject = .key(key)
      guard metadata.append(key, try readEntry(&reader)) else {
        throw reader.failure(.malformed, wanted: "each key once", found: "it twice")
      }
    }
    reader.subject = .header
    return metadata
  }

  /// A key or a tensor's name: UTF-8, not empty.
  static func readName(_ reader: inout ByteReader) throws(FormatError) -> String {
    let name = try reader.name(byteCountMax: nameByteCountMax)
    guard !name.isEmpty else {
      throw reader.failure(.malformed, wanted: "a name", found: "an empty one")
    }
    return name
  }

  private static func readEntry(
    _ reader: inout ByteReader
  ) throws(FormatError) -> GGUFMetadata.Entry {
    switch try readType(&reader) {
    case .uint8: .value(.unsigned(UInt64(try reader.integer(UInt8.self))))
    case .uint16: .value(.unsigned(UInt64(try reader.integer(UInt16.self))))
    case .uint32: .value(.unsigned(UInt64(try reader.integer(UInt32.self))))
    case .uint64: .value(.unsigned(try reader.integer()))
    case .int8: .value(.signed(Int64(try reader.integer(Int8.self))))
    case .int16: .value(.signed(Int64(try reader.integer(Int16.self))))
    case .int32: .value(.signed(Int64(try reader.integer(Int32.self))))
    case .int64: .value(.signed(try reader.integer()))
    case .float32: .value(.float(Double(Float(bitPattern: try reader.integer()))))
    case .float64: .value(.float(Double(bitPattern: try reader.integer())))
    case .bool: .value(.bool(try readBool(&reader)))
    case .string: .value(text(try reader.stringBytes()))
    case .array: .array(try readArray(&reader))
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> MetadataValue {
    String(validating: bytes, as: UTF8.self).map { .string($0) } ?? .bytes(Array(bytes))
  }

  private static func readType(_ reader: inout ByteReader) throws(FormatError) -> ValueType {
    let number = try reader.integer(UInt32.self)
    guard let type = ValueType(rawValue: number) else {
      throw reader.failure(.malformed, wanted: "a value type from 0 to 12", found: "\(number)")
    }
    return type
  }

  private static func readBool(_ reader: inout ByteReader) throws(FormatError) -> Bool {
    let byte = try reader.integer(UInt8.self)
    guard byte <= 1 else {
      throw reader.failure(.malformed, wanted: "0 or 1 for a boolean", found: "\(byte)")
    }
    return byte == 1
  }

  /// An array, whose elements are checked but not decoded.
  private static func readArray(_ reader: inout ByteReader) throws(FormatError) -> StoredArray {
    let type = try readType(&reader)
    let count = try reader.count(of: "array elements", elementByteCountMin: type.byteCountMin)
    let start = reader.position
    try skipElements(&reader, type, count, depth: 1)
    let bytes = try reader.bytes(from: start)
    guard let array = StoredArray(elementType: type, count: count, bytes: bytes) else {
      throw reader.failure(
        .malformed, wanted: "a file that stays as it is", found: "one that changes while it is read"
      )
    }
    return array
  }

  /// Goes through the elements of an array to its end.
  ///
  /// Vocabularies hold pieces of text that need not be UTF-8 by themselves, so texts are not
  /// looked at.
  private static func skipElements(
    _ reader: inout ByteReader, _ type: ValueType, _ count: Int, depth: Int
  ) throws(FormatError) {
    guard depth <= StoredArray.depthMax else {
      throw reader.failure(
        .malformed, wanted: "arrays at most \(StoredArray.depthMax) deep", found: "deeper ones")
    }
    switch type {
    case .bool:
      for _ in 0..<count { _ = try readBool(&reader) }
    case .string:
      for _ in 0..<count {
        try reader.skip(try reader.count(of: "bytes of text", elementByteCountMin: 1))
      }
    case .array:
      for _ in 0..<count {
        let type = try readType(&reader)
        let count = try reader.count(of: "array elements", elementByteCountMin: type.byteCountMin)
        try skipElements(&reader, type, count, depth: depth + 1)
      }
    default:
      // `count` was checked against the bytes that are left.
      try reader.skip(count * type.byteCountMin)
    }
  }
}
