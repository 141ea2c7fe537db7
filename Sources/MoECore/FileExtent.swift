/// A run of bytes in one of a model's files (a model may be split into shards).
public struct FileExtent: Hashable, Sendable {
  /// Index into the model's list of files; negative where the bytes are in none of them.
  public var fileIndex: Int
  /// First byte, counted from the start of that file.
  public var offset: Int
  public var byteCount: Int

  public init(fileIndex: Int, offset: Int, byteCount: Int) {
    self.fileIndex = fileIndex
    self.offset = offset
    self.byteCount = byteCount
  }

  /// Whether the bytes are in no file as they are: an expert's that a bundle has in its records.
  public var isNowhere: Bool { fileIndex < 0 }

  /// So many bytes that are in no file.
  package static func nowhere(byteCount: Int) -> FileExtent {
    FileExtent(fileIndex: -1, offset: 0, byteCount: byteCount)
  }

  /// The `index`-th of `count` equal parts, as stacked expert tensors are divided.
  ///
  /// `byteCount` must be a multiple of `count`; the file format's reader checks that.
  public func part(_ index: Int, of count: Int) -> FileExtent {
    precondition(count > 0 && index >= 0 && index < count && byteCount % count == 0)
    let size = byteCount / count
    return FileExtent(fileIndex: fileIndex, offset: offset + index * size, byteCount: size)
  }
}
