internal import MoECore

extension GGUFHeader {
  /// Length of a key, one byte of key, type, one byte of value.
  static let entryByteCountMin = 8 + 1 + 4 + 1
  /// The specification's bound for keys; tensor names are far shorter in practice.
  static let nameByteCountMax = 65_535
  /// The specification sets no bound; known files have arrays of arrays at most.
  static let arrayDepthMax = 8

  /// GGUF's number of a metadata value's type.
  private enum ValueType: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64
    case float64

    /// The fewest bytes that a value of the type takes in the file.
    var byteCountMin: Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .string, .uint64, .int64, .float64: 8
      case .array: 4 + 8
      }
    }
  }

  static func readMetadata(
    _ reader: inout ByteReader, count: Int
  ) throws(GGUFError) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    for index in 0..<count {
      reader.subject = .keyNumber(index)
      let key = try readName(&reader)
      reader.subject = .key(key)
      guard metadata.append(key, try readValue(&reader)) else {
        throw reader.failure(.malformed, wanted: "each key once", found: "it twice")
      }
    }
    reader.subject = .header
    return metadata
  }

  /// A key or a tensor's name: UTF-8, not empty.
  static func readName(_ reader: inout ByteReader) throws(GGUFError) -> String {
    let name = try reader.string(byteCountMax: nameByteCountMax)
    guard !name.isEmpty else {
      throw reader.failure(.malformed, wanted: "a name", found: "an empty one")
    }
    return name
  }

  private static func readValue(_ reader: inout ByteReader) throws(GGUFError) -> MetadataValue {
    switch try readType(&reader) {
    case .uint8: .unsigned(UInt64(try reader.integer(UInt8.self)))
    case .uint16: .unsigned(UInt64(try reader.integer(UInt16.self)))
    case .uint32: .unsigned(UInt64(try reader.integer(UInt32.self)))
    case .uint64: .unsigned(try reader.integer())
    case .int8: .signed(Int64(try reader.integer(Int8.self)))
    case .int16: .signed(Int64(try reader.integer(Int16.self)))
    case .int32: .signed(Int64(try reader.integer(Int32.self)))
    case .int64: .signed(try reader.integer())
    case .float32: .float(Double(Float(bitPattern: try reader.integer())))
    case .float64: .float(Double(bitPattern: try reader.integer()))
    case .bool: .bool(try readBool(&reader))
    case .string: .string(try reader.string())
    case .array: .array(try readArray(&reader, depth: 1))
    }
  }

  private static func readType(_ reader: inout ByteReader) throws(GGUFError) -> ValueType {
    let number = try reader.integer(UInt32.self)
    guard let type = ValueType(rawValue: number) else {
      throw reader.failure(.malformed, wanted: "a value type from 0 to 12", found: "\(number)")
    }
    return type
  }

  private static func readBool(_ reader: inout ByteReader) throws(GGUFError) -> Bool {
    let byte = try reader.integer(UInt8.self)
    guard byte <= 1 else {
      throw reader.failure(.malformed, wanted: "0 or 1 for a boolean", found: "\(byte)")
    }
    return byte == 1
  }

  private static func readArray(
    _ reader: inout ByteReader, depth: Int
  ) throws(GGUFError) -> MetadataArray {
    guard depth <= arrayDepthMax else {
      throw reader.failure(
        .malformed, wanted: "arrays at most \(arrayDepthMax) deep", found: "deeper ones")
    }
    let type = try readType(&reader)
    let count = try reader.count(of: "array elements", elementByteCountMin: type.byteCountMin)
    return switch type {
    case .uint8: .unsigned(try integers(&reader, count, UInt8.self))
    case .uint16: .unsigned(try integers(&reader, count, UInt16.self))
    case .uint32: .unsigned(try integers(&reader, count, UInt32.self))
    case .uint64: .unsigned(try integers(&reader, count, UInt64.self))
    case .int8: .signed(try integers(&reader, count, Int8.self))
    case .int16: .signed(try integers(&reader, count, Int16.self))
    case .int32: .signed(try integers(&reader, count, Int32.self))
    case .int64: .signed(try integers(&reader, count, Int64.self))
    case .float32:
      .float(
        try elements(&reader, count) { (reader) throws(GGUFError) in
          Float(bitPattern: try reader.integer())
        })
    case .float64:
      .double(
        try elements(&reader, count) { (reader) throws(GGUFError) in
          Double(bitPattern: try reader.integer())
        })
    case .bool: .bool(try elements(&reader, count, readBool))
    case .string: .strings(try strings(&reader, count))
    case .array:
      .nested(
        try elements(&reader, count) { (reader) throws(GGUFError) in
          try readArray(&reader, depth: depth + 1)
        })
    }
  }

  private static func integers<Stored: FixedWidthInteger, Wide: FixedWidthInteger>(
    _ reader: inout ByteReader, _ count: Int, _ type: Stored.Type
  ) throws(GGUFError) -> [Wide] {
    try elements(&reader, count) { (reader) throws(GGUFError) in
      Wide(truncatingIfNeeded: try reader.integer(Stored.self))
    }
  }

  private static func elements<Element>(
    _ reader: inout ByteReader, _ count: Int,
    _ read: (inout ByteReader) throws(GGUFError) -> Element
  ) throws(GGUFError) -> [Element] {
    var elements: [Element] = []
    elements.reserveCapacity(count)
    for _ in 0..<count { elements.append(try read(&reader)) }
    return elements
  }

  /// Vocabularies hold pieces of text that need not be UTF-8 by themselves, so bytes are kept.
  private static func strings(
    _ reader: inout ByteReader, _ count: Int
  ) throws(GGUFError) -> PackedStrings {
    var strings = PackedStrings()
    strings.reserveCapacity(count: count, byteCount: 0)
    for _ in 0..<count { strings.append(try reader.stringBytes()) }
    return strings
  }
}
