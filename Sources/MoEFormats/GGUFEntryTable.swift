internal import MoECore

/// Where each entry of a GGUF file's header lies, for who writes a changed copy: what is kept stays
/// as it is, byte for byte.
///
/// The file is untrusted, though somebody has read it before: what does not end where it should is
/// an error.
package struct GGUFEntryTable: Sendable {
  package struct Entry: Sendable {
    package let key: String
    /// From the length of the key to the end of the value.
    package let bytes: Range<Int>
  }

  package struct Tensor: Sendable {
    package let name: String
    /// As the file has them, innermost first, with outer ones of 1.
    package let dimensions: [Int]
    package let formatID: UInt32
  }

  package let version: UInt32
  package private(set) var entries: [Entry] = []
  package private(set) var tensors: [Tensor] = []

  package init(path: String) throws(FormatError) {
    let file = try HeaderFile(path: path)
    var reader = ByteReader(file)
    _ = try reader.integer(UInt32.self)
    version = try reader.integer()
    let tensorCount = try reader.count(
      of: "tensors", elementByteCountMin: GGUFHeader.tensorByteCountMin)
    let entryCount = try reader.count(
      of: "metadata entries", elementByteCountMin: GGUFHeader.entryByteCountMin)
    for index in 0..<entryCount {
      reader.subject = .keyNumber(index)
      let start = reader.position
      let key = try GGUFHeader.readName(&reader)
      reader.subject = .key(key)
      try Self.skipValue(&reader, depth: 0)
      entries.append(Entry(key: key, bytes: start..<reader.position))
    }
    for index in 0..<tensorCount {
      reader.subject = .tensorNumber(index)
      tensors.append(try Self.readTensor(&reader))
    }
  }

  private static func readTensor(_ reader: inout ByteReader) throws(FormatError) -> Tensor {
    let name = try GGUFHeader.readName(&reader)
    reader.subject = .tensor(name)
    let count = try reader.integer(UInt32.self)
    guard (1...4).contains(count) else {
      throw reader.failure(.malformed, wanted: "1 to 4 dimensions", found: "\(count)")
    }
    var dimensions: [Int] = []
    for _ in 0..<count {
      let dimension = try reader.integer(UInt64.self)
      guard let extent = Int(exactly: dimension) else {
        throw reader.failure(.malformed, wanted: "a dimension below 2^63", found: "\(dimension)")
      }
      dimensions.append(extent)
    }
    let formatID = try reader.integer(UInt32.self)
    _ = try reader.integer(UInt64.self)
    return Tensor(name: name, dimensions: dimensions, formatID: formatID)
  }

  private static func skipValue(
    _ reader: inout ByteReader, depth: Int
  ) throws(FormatError) {
    let type = try readType(&reader)
    if let byteCount = type.byteCount { return try reader.skip(byteCount) }
    if type == .string { return try skipText(&reader) }
    try skipArray(&reader, depth: depth + 1)
  }

  private static func skipArray(
    _ reader: inout ByteReader, depth: Int
  ) throws(FormatError) {
    guard depth <= StoredArray.depthMax else {
      throw reader.failure(
        .malformed, wanted: "arrays at most \(StoredArray.depthMax) deep", found: "deeper ones")
    }
    let type = try readType(&reader)
    let count = try reader.count(of: "array elements", elementByteCountMin: type.byteCountMin)
    if let byteCount = type.byteCount { return try reader.skip(count * byteCount) }
    for _ in 0..<count {
      if type == .string { try skipText(&reader) } else { try skipArray(&reader, depth: depth + 1) }
    }
  }

  private static func skipText(_ reader: inout ByteReader) throws(FormatError) {
    try reader.skip(try reader.count(of: "bytes of text", elementByteCountMin: 1))
  }

  private static func readType(
    _ reader: inout ByteReader
  ) throws(FormatError) -> StoredArray.ElementType {
    let number = try reader.integer(UInt32.self)
    guard let type = StoredArray.ElementType(rawValue: number) else {
      throw reader.failure(.malformed, wanted: "a value type from 0 to 12", found: "\(number)")
    }
    return type
  }
}
