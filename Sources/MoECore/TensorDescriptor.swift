/// What a model file's header says of one tensor; its bytes stay on disk.
public struct TensorDescriptor: Hashable, Sendable {
  public var name: String
  /// GGUF's number of the element format (`ggml_type`), for example 12 for Q4_K.
  public var formatID: UInt32
  /// The format's name in messages, for example `Q4_K`.
  public var formatName: String
  /// Extents, innermost (contiguous) first, as GGUF stores them: a matrix of R rows with C columns
  /// is `[C, R]`, a stack of E such matrices `[C, R, E]`.
  public var shape: [Int]
  public var extent: FileExtent
  /// What must be done with the stored bytes to have those of the format; nil: nothing.
  public var conversion: StoredConversion?
  /// Where the scales are, of a conversion that wants some.
  public var scales: FileExtent?
  /// CRC-32C of the stored bytes, scales left out; nil where the file has none.
  public var checksum: UInt32?

  public init(
    name: String, formatID: UInt32, formatName: String, shape: [Int], extent: FileExtent,
    conversion: StoredConversion? = nil, scales: FileExtent? = nil, checksum: UInt32? = nil
  ) {
    self.name = name
    self.formatID = formatID
    self.formatName = formatName
    self.shape = shape
    self.extent = extent
    self.conversion = conversion
    self.scales = scales
    self.checksum = checksum
  }

  /// Bytes in the files, scales included.
  public var storedByteCount: Int { extent.byteCount + (scales?.byteCount ?? 0) }

  public var elementCount: Int { shape.reduce(1, *) }

  /// The shape with `rank` axes, filled up with outer ones of extent 1, which readers leave out.
  /// Nil where the tensor has more axes.
  package func shape(rank: Int) -> [Int]? {
    guard shape.count <= rank else { return nil }
    return shape + Array(repeating: 1, count: rank - shape.count)
  }
}
