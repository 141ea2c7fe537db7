import MoECore

/// The header of one safetensors file: where each tensor's bytes are.
///
/// The file is untrusted: 8 bytes with the header's length, JSON of that length, then the tensors'
/// bytes. What this type holds has been checked: unique names, known element types, extents of the
/// size that the shape says, inside the file and disjoint.
package struct SafeTensorsHeader: Sendable {
  /// One tensor as the file has it.
  package struct Tensor: Sendable, Hashable {
    package let name: String
    package let elementType: SafeTensorsType
    /// Outermost first; empty for a single number.
    package let shape: [Int]
    /// First byte, counted from the start of the file, and how many there are.
    package let offset: Int
    package let byteCount: Int
  }

  /// By their place in the file.
  package let tensors: [Tensor]
  /// Bytes up to the first tensor.
  package let byteCount: Int

  /// As the format's own library has it: some 100 bytes for each of a million tensors.
  static let byteCountMax = 100_000_000
  private static let nameByteCountMax = 1024
  private static let rankMax = 8

  /// Parses a header held in memory, as if from a file of `fileByteCount` bytes that starts so.
  package init(
    bytes: [UInt8], fileByteCount: Int? = nil, path: String = "memory"
  ) throws(FormatError) {
    try self.init(
      MemoryBytes(path: path, byteCount: fileByteCount ?? bytes.count, content: bytes))
  }

  init(_ source: some ByteSource) throws(FormatError) {
    let path = source.path
    let start = try source.bytes(at: 0, count: min(source.byteCount, FileKind.probeByteCount))
    guard start.count > 8, start[8] == UInt8(ascii: "{") else {
      throw FormatError(
        .otherFormat, path: path, wanted: "a safetensors file", found: FileKind.describe(start))
    }
    let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(start[$1]) << UInt64(8 * $1) }
    guard length <= UInt64(Self.byteCountMax) else {
      throw FormatError(
        .malformed, path: path, wanted: "a header of at most \(Self.byteCountMax) bytes",
        found: "\(length)")
    }
    guard Int(length) <= source.byteCount - 8 else {
      throw FormatError(
        .truncated, path: path, wanted: "a header of \(length) bytes",
        found: "a file of \(source.byteCount)")
    }
    byteCount = 8 + Int(length)
    let json = try source.bytes(at: 8, count: Int(length))
    var entries: [Entry]
    do {
      entries = try Self.entries(json)
    } catch {
      throw .malformed(error, path: path)
    }
    entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    tensors = try Self.checked(
      entries, start: byteCount, fileByteCount: source.byteCount, path: path)
  }

  /// A tensor before it is checked.
  private struct Entry {
    var name: String
    var type = ""
    var shape: [Int] = []
    var begin = -1
    var end = -1
  }

  private static func entries(_ json: [UInt8]) throws(JSONError) -> [Entry] {
    var reader = JSONReader(json)
    var entries: [Entry] = []
    try reader.beginObject()
    while let name = try reader.nextName() {
      if name == "__metadata__" {
        try reader.skip()
        continue
      }
      entries.append(try entry(name, &reader))
    }
    try reader.end()
    return entries
  }

  private static func entry(
    _ name: String, _ reader: inout JSONReader
  ) throws(JSONError) -> Entry {
    var entry = Entry(name: name)
    guard name.utf8.count <= nameByteCountMax else {
      throw reader.error("a name of at most \(nameByteCountMax) bytes")
    }
    try reader.beginObject()
    while let key = try reader.nextName() {
      switch key {
      case "dtype": entry.type = try reader.string()
      case "shape":
        entry.shape = []
        try reader.beginArray()
        while try reader.hasElement() {
          guard entry.shape.count < rankMax else { throw reader.error("at most \(rankMax) axes") }
          entry.shape.append(try reader.integer())
        }
      case "data_offsets":
        try reader.beginArray()
        guard try reader.hasElement() else { throw reader.error("two offsets") }
        entry.begin = try reader.integer()
        guard try reader.hasElement() else { throw reader.error("two offsets") }
        entry.end = try reader.integer()
        guard try !reader.hasElement() else { throw reader.error("two offsets") }
      default: try reader.skip()
      }
    }
    return entry
  }

  private static func checked(
    _ entries: [Entry], start: Int, fileByteCount: Int, path: String
  ) throws(FormatError) -> [Tensor] {
    var tensors: [Tensor] = []
    var names: Set<String> = []
    for entry in entries {
      func failure(_ kind: FormatError.Kind, _ wanted: String, _ found: String) -> FormatError {
        FormatError(
          kind, path: path, subject: "tensor \(entry.name.quotedForMessage)", wanted: wanted,
          found: found)
      }
      guard names.insert(entry.name).inserted else {
        throw failure(.malformed, "each tensor once", "it twice")
      }
      guard let type = SafeTensorsType(rawValue: entry.type) else {
        throw failure(.unsupported, "an element type of the format", entry.type.quotedForMessage)
      }
      guard let byteCount = type.byteCount(shape: entry.shape) else {
        throw failure(.malformed, "a shape of whole numbers from 1", "\(entry.shape)")
      }
      guard entry.begin >= 0, entry.end >= entry.begin, entry.end - entry.begin == byteCount else {
        throw failure(
          .malformed, "\(byteCount) bytes, as its shape says",
          "bytes \(entry.begin) to \(entry.end)")
      }
      guard entry.end <= fileByteCount - start else {
        throw failure(
          .truncated, "bytes up to \(entry.end)",
          "a file that has \(fileByteCount - start) behind its header")
      }
      if let last = tensors.last, start + entry.begin < last.offset + last.byteCount {
        throw failure(
          .malformed, "bytes of its own", "an overlap with \(last.name.quotedForMessage)")
      }
      tensors.append(
        Tensor(
          name: entry.name, elementType: type, shape: entry.shape, offset: start + entry.begin,
          byteCount: byteCount))
    }
    return tensors
  }
}
