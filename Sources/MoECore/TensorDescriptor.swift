/// What a model file's header says of one tensor; its bytes stay on disk.
public struct TensorDescriptor: Hashable, Sendable {
  public var name: String
  /// GGUF's number of the element format (`ggml_type`), for example 12 for Q4_K.
  public var formatID: UInt32
  /// Extents, innermost (contiguous) first, as GGUF stores them: a matrix of R rows with C columns
  /// is `[C, R]`, a stack of E such matrices `[C, R, E]`.
  public var shape: [Int]
  public var extent: FileExtent

  public init(name: String, formatID: UInt32, shape: [Int], extent: FileExtent) {
    self.name = name
    self.formatID = formatID
    self.shape = shape
    self.extent = extent
  }

  public var elementCount: Int { shape.reduce(1, *) }
}
