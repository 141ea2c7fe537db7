package import MoECore
package import MoEPlatform

/// A model as it lies on disk: the headers of one GGUF file or of all shards of a split one.
///
/// Weights are not read. Metadata is that of the first shard; tensors are those of all, in order.
package struct GGUFFile: StoredModel {
  /// The shards in order; tensors' `fileIndex` points here.
  package let files: [ModelFile]
  package let version: Int
  package let metadata: GGUFMetadata
  /// Offsets count from the start of each tensor's own file.
  package let tensors: [TensorDescriptor]
  private let tensorIndices: [String: Int]
  /// About what this value takes in memory: metadata, arrays as the file stores them, and the table
  /// of tensors. While the file is opened, another MiB is used to read it.
  package let headerByteCount: Int

  /// Opens the file, or all shards where `path` is any one of them.
  package init(path: String) throws(FormatError) {
    try self.init(try Shard.openAll(path: path))
  }

  /// - Parameter shards: All of a model, in order.
  init(_ shards: [Shard]) throws(FormatError) {
    files = shards.map { ModelFile(path: $0.path, identity: $0.identity) }
    version = shards[0].header.version
    metadata = shards[0].header.metadata

    var tensors: [TensorDescriptor] = []
    var indices: [String: Int] = [:]
    for (fileIndex, shard) in shards.enumerated() {
      for var tensor in shard.header.tensors {
        tensor.extent.fileIndex = fileIndex
        if let other = indices.updateValue(tensors.count, forKey: tensor.name) {
          throw FormatError(
            .shards, path: shard.path, subject: "tensor \(tensor.name.quotedForMessage)",
            wanted: "each tensor once",
            found: "it in \(files[tensors[other].extent.fileIndex].path) too")
        }
        tensors.append(tensor)
      }
    }
    self.tensors = tensors
    tensorIndices = indices
    headerByteCount = metadata.heldByteCount + Self.heldByteCount(of: tensors)
  }

  /// About what the table of tensors and its index take in memory.
  private static func heldByteCount(of tensors: [TensorDescriptor]) -> Int {
    // An index of a power of two of slots is at least three eighths full; a shape is an array.
    let entryByteCount =
      MemoryLayout<TensorDescriptor>.stride + 64
      + 3 * (MemoryLayout<String>.stride + MemoryLayout<Int>.stride)
    return tensors.reduce(0) { $0 + entryByteCount + $1.name.utf8.count }
  }

  package var sourceName: String { files[0].path }

  package func value(forKey key: String) -> MetadataValue? { metadata[key] }

  package func storedArray(forKey key: String) -> StoredArray? { metadata.storedArray(forKey: key) }

  /// Nil where the model has no such tensor.
  package func tensor(named name: String) -> TensorDescriptor? {
    tensorIndices[name].map { tensors[$0] }
  }

  package var formatName: String { "GGUF \(version)" }

  package var keys: [String] { metadata.keys }
}

/// One of a model's files.
package struct ModelFile: Sendable, Hashable {
  package let path: String
  /// The file's state when its header was read, by which a later reader can tell that another has
  /// taken its place.
  package let identity: FileIdentity

  package var byteCount: Int { identity.byteCount }

  package init(path: String, identity: FileIdentity) {
    self.path = path
    self.identity = identity
  }
}
