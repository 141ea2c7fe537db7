internal import MoECore

extension GGUFHeader {
  /// How far behind the last tensor the start of another file is looked for.
  private static let searchByteCount = 1 << 20

  /// Refuses a file that goes on behind its last tensor for more than padding: what follows was
  /// written for something, and nobody would read it.
  static func checkEnd(
    of tensors: [TensorDescriptor], alignment: Int, _ reader: ByteReader, _ source: some ByteSource
  ) throws(FormatError) {
    let ends = tensors.map { $0.extent.offset + $0.extent.byteCount }
    let end = ends.max() ?? reader.position
    let padding = (alignment - end % alignment) % alignment
    let surplus = source.byteCount - end
    guard surplus > padding else { return }
    let wanted = "the file's end behind its last tensor, at byte \(end)"
    let start = try source.bytes(at: end, count: min(surplus, searchByteCount))
    guard let other = start.firstRange(of: Array("GGUF".utf8)) else {
      throw FormatError(
        .malformed, path: reader.path, wanted: wanted, found: "\(surplus) bytes more",
        advice: "take the file as it was published; something was added to this one")
    }
    throw FormatError(
      .shards, path: reader.path, wanted: wanted,
      found: "another GGUF file that begins at byte \(end + other.lowerBound)",
      advice: "give the shards as they were published, each in a file of its own")
  }
}
