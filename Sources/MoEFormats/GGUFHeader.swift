package import MoECore

/// The header of one GGUF file (versions 2 and 3, little-endian): everything but the weights.
///
/// The file is untrusted. What this type holds has been checked: unique keys and tensor names,
/// extents that are aligned, inside the file and disjoint.
package struct GGUFHeader: Sendable {
  package let version: Int
  /// Tensor data and each tensor in it start at multiples of this; a power of two.
  package let alignment: Int
  package private(set) var metadata: GGUFMetadata
  /// In the file's order; extents have offsets from the start of the file and `fileIndex` 0.
  package let tensors: [TensorDescriptor]
  /// Bytes up to the end of the tensor table.
  package let byteCount: Int

  /// Parses a header held in memory, as if from a file of `fileByteCount` bytes that starts so.
  package init(
    bytes: [UInt8], fileByteCount: Int? = nil, path: String = "memory"
  ) throws(FormatError) {
    try self.init(
      MemoryBytes(path: path, byteCount: fileByteCount ?? bytes.count, content: bytes))
  }

  init(
    _ source: some ByteSource, byteCountMax: Int = ByteReader.headerByteCountMax
  ) throws(FormatError) {
    var reader = ByteReader(source, byteCountMax: byteCountMax)
    version = try Self.readVersion(&reader, source)
    let tensorCount = try reader.count(
      of: "tensors", elementByteCountMin: Self.tensorByteCountMin)
    let keyCount = try reader.count(
      of: "metadata entries", elementByteCountMin: Self.entryByteCountMin)
    metadata = try Self.readMetadata(&reader, count: keyCount)
    alignment = try Self.alignment(metadata, reader)
    tensors = try Self.readTensors(&reader, count: tensorCount, alignment: alignment)
    byteCount = reader.position
    try Self.checkEnd(of: tensors, alignment: alignment, reader, source)
  }

  /// Forgets the metadata, which of a split model only the first shard's are kept.
  mutating func dropMetadata() { metadata = GGUFMetadata() }

  private static func readVersion(
    _ reader: inout ByteReader, _ source: some ByteSource
  ) throws(FormatError) -> Int {
    let start = try source.bytes(at: 0, count: min(source.byteCount, FileKind.probeByteCount))
    guard start.starts(with: "GGUF".utf8) else {
      throw reader.failure(.otherFormat, wanted: "a GGUF file", found: FileKind.describe(start))
    }
    _ = try reader.integer(UInt32.self)
    let version = try reader.integer(UInt32.self)
    if version != 0, version & 0xFFFF == 0 {
      throw reader.failure(.unsupported, wanted: "little-endian numbers", found: "big-endian ones")
    }
    guard version == 2 || version == 3 else {
      throw reader.failure(.unsupported, wanted: "GGUF version 2 or 3", found: "version \(version)")
    }
    return Int(version)
  }

  /// The specification asks for a multiple of 8; ggml for a power of two; writers give 32.
  private static func alignment(
    _ metadata: GGUFMetadata, _ reader: ByteReader
  ) throws(FormatError) -> Int {
    let key = "general.alignment"
    guard let value = metadata[key] else { return 32 }
    guard let alignment = value.integer, alignment >= 8, alignment <= 1 << 31,
      alignment & (alignment - 1) == 0
    else {
      throw FormatError(
        .malformed, path: reader.path, subject: "key \(key.quotedForMessage)",
        wanted: "a power of two from 8 to 2147483648", found: value.summary)
    }
    return alignment
  }
}
