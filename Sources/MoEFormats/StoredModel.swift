package import MoECore
package import MoEStore

/// A model as it lies on disk, whatever the format: metadata and tensors under the names that a
/// GGUF file of it has. Weights are not read.
package protocol StoredModel: MetadataSource, Sendable {
  /// The model's files in order; tensors' `fileIndex` points here.
  var files: [ModelFile] { get }
  /// Offsets count from the start of each tensor's own file.
  var tensors: [TensorDescriptor] { get }
  /// About what this value takes in memory.
  var headerByteCount: Int { get }
  /// The format and its version, for reports.
  var formatName: String { get }
  /// Keys of the metadata, in the file's order if it has one.
  var keys: [String] { get }
  /// The bundle that the model is read from; nil where its files have the tensors as they are.
  var bundle: Bundle? { get }

  /// Refuses a file that holds something else than a model, and says what it holds.
  func requireModel() throws(FormatError)
}

extension StoredModel {
  package func requireModel() throws(FormatError) {}

  package var bundle: Bundle? { nil }

  /// `general.architecture`, for example `olmoe`; nil where absent or not a string.
  package var architecture: String? {
    guard case .string(let name) = value(forKey: "general.architecture") else { return nil }
    return name
  }

  /// Bytes of all files together.
  package var totalByteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
}

/// Every format that models are read from.
package enum FormatRegistry {
  /// Opens the model that a path means: a GGUF file, one of several that it was split into, a
  /// bundle that has all of a model, or the folder of a published model or a file in it.
  package static func open(_ path: String) throws(FormatError) -> any StoredModel {
    if Bundle.isBundle(at: path) { return try BundledModel(path: path) }
    if let folder = HuggingFaceFolder.folder(of: path) {
      return try HuggingFaceFolder(path: folder)
    }
    return try GGUFFile(path: path)
  }
}
