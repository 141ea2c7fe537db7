import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// A folder for one test, removed with its owner.
final class TemporaryFolder {
  let url = FileManager.default.temporaryDirectory
    .appending(path: "moe-formats-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = try TemporaryFolder()
  return try withExtendedLifetime(folder) { try body(folder.url) }
}

enum Samples {
  /// One value of every metadata type, and arrays of each.
  static let metadata: [(key: String, value: GGUFValue)] = [
    ("general.architecture", .string("sample")),
    ("u8", .uint8(.max)), ("i8", .int8(.min)), ("u16", .uint16(.max)), ("i16", .int16(.min)),
    ("u32", .uint32(.max)), ("i32", .int32(.min)), ("u64", .uint64(.max)), ("i64", .int64(.min)),
    ("f32", .float32(-1.5)), ("f64", .float64(0.1)), ("no", .bool(false)), ("yes", .bool(true)),
    ("text", .string("naïve 🦉")), ("empty", .string("")),
    ("array.u8", .array([.uint8(0), .uint8(255)])), ("array.i8", .array([.int8(-128)])),
    ("array.u16", .array([.uint16(1)])), ("array.i16", .array([.int16(-1)])),
    ("array.u32", .array([.uint32(1)])), ("array.i32", .array([.int32(-1)])),
    ("array.u64", .array([.uint64(.max)])), ("array.i64", .array([.int64(.min)])),
    ("array.f32", .array([.float32(0.5)])), ("array.f64", .array([.float64(-0.1)])),
    ("array.bool", .array([.bool(true), .bool(false)])), ("array.empty", .array([])),
    ("array.text", .array([.string("a"), .string(""), .bytes([0xFF, 0xC0])])),
    (
      "array.nested",
      .array([.array([.int32(1), .int32(2)]), .array([.array([.bool(true)])])])
    ),
  ]

  /// A small file with that metadata and tensors of several formats and ranks.
  static func writer(version: UInt32 = 3, alignment: Int = 32) -> GGUFWriter {
    var writer = GGUFWriter()
    writer.version = version
    writer.alignment = alignment
    writer.metadata = metadata
    let plans: [(GGMLType, [Int])] = [
      (.f32, [3]), (.f16, [5, 2]), (.q8_0, [32, 2, 3]), (.q4_K, [256, 1, 2, 2]), (.bf16, [1]),
    ]
    writer.tensors = plans.enumerated().map { index, plan in
      let count = plan.0.byteCount(shape: plan.1) ?? 0
      return GGUFWriter.Tensor(
        "tensor.\(index)", plan.0, plan.1,
        bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) })
    }
    return writer
  }

  /// A header whose counts and body are given and need not agree.
  static func raw(
    version: UInt32 = 3, tensorCount: UInt64 = 0, keyCount: UInt64 = 0, _ body: [UInt8] = []
  ) -> [UInt8] {
    var output = Array("GGUF".utf8)
    output.appendLittleEndian(version)
    output.appendLittleEndian(tensorCount)
    output.appendLittleEndian(keyCount)
    return output + body
  }

  static func entry(_ key: [UInt8], type: UInt32, _ value: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.appendGGUFString(key)
    output.appendLittleEndian(type)
    return output + value
  }

  static func entry(_ key: String, _ value: GGUFValue) -> [UInt8] {
    var writer = GGUFWriter()
    writer.metadata = [(key, value)]
    return Array(writer.header().dropFirst(24))
  }

  static func tensor(
    _ name: String, _ shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0
  ) -> [UInt8] {
    var output: [UInt8] = []
    output.appendGGUFString(Array(name.utf8))
    output.appendLittleEndian(UInt32(shape.count))
    for extent in shape { output.appendLittleEndian(extent) }
    output.appendLittleEndian(type)
    output.appendLittleEndian(offset)
    return output
  }

  static func integer<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    var output: [UInt8] = []
    output.appendLittleEndian(value)
    return output
  }
}

/// What must hold of any header that was accepted, whatever the file says.
func isSound(_ header: GGUFHeader, fileByteCount: Int) -> Bool {
  guard header.version == 2 || header.version == 3, header.byteCount <= fileByteCount,
    header.alignment >= 8, header.alignment.nonzeroBitCount == 1,
    Set(header.metadata.keys).count == header.metadata.keys.count,
    header.metadata.keys.allSatisfy({ isSound(header.metadata, key: $0) }),
    Set(header.tensors.map(\.name)).count == header.tensors.count
  else { return false }
  var end = header.byteCount
  for tensor in header.tensors.sorted(by: { $0.extent.offset < $1.extent.offset }) {
    guard let type = GGMLType(id: tensor.formatID), (1...4).contains(tensor.shape.count),
      tensor.extent.byteCount == type.byteCount(shape: tensor.shape),
      tensor.extent.byteCount > 0, tensor.extent.offset >= end,
      tensor.extent.offset % header.alignment == 0, tensor.extent.fileIndex == 0
    else { return false }
    end = tensor.extent.offset + tensor.extent.byteCount
  }
  let padding = (header.alignment - end % header.alignment) % header.alignment
  return end <= fileByteCount && fileByteCount <= end + padding
}

/// Whether a value can be had, and an array says the same decoded and element by element.
private func isSound(_ metadata: GGUFMetadata, key: String) -> Bool {
  guard let value = metadata[key] else { return false }
  guard case .array(let array) = value else { return metadata.storedArray(forKey: key) == nil }
  guard let stored = metadata.storedArray(forKey: key), stored.count == array.count else {
    return false
  }
  if let integers = array.integers {
    return integers == (0..<stored.count).compactMap { stored.integer(at: $0) }
  }
  guard case .strings(let strings) = array else { return stored.strings == nil }
  guard let inPlace = stored.strings else { return false }
  return (0..<strings.count).allSatisfy { inPlace[$0] == strings[$0] }
}

/// The kind of error that parsing gives, or nil where it succeeds.
func errorKind(_ bytes: [UInt8], fileByteCount: Int? = nil) -> FormatError.Kind? {
  do {
    _ = try GGUFHeader(bytes: bytes, fileByteCount: fileByteCount)
    return nil
  } catch {
    return error.kind
  }
}
