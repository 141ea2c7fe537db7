import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoESynthetic
import MoETestSupport

/// The header of a small synthetic model, to be changed before it is understood.
struct EditedModel: MetadataSource {
  private let file: GGUFFile
  var tensors: [TensorDescriptor]
  /// Values in place of the file's; nil stands for no such key.
  var changes: [String: MetadataValue?] = [:]

  /// - Parameter architecture: A name of the registry.
  init(_ architecture: String, _ change: (inout SyntheticModel) -> Void = { _ in }) throws {
    var model = Self.synthetic(architecture)
    change(&model)
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model.gguf")
    try model.writeHeader(to: url)
    file = try GGUFFile(path: url.path)
    tensors = file.tensors
    withExtendedLifetime(folder) {}
  }

  static func synthetic(_ architecture: String) -> SyntheticModel {
    SyntheticModel(SyntheticModel.Architecture(rawValue: architecture))
  }

  var sourceName: String { "edited.gguf" }

  func value(forKey key: String) -> MetadataValue? {
    changes[key] ?? file.value(forKey: key)
  }

  /// What loading makes of it.
  @discardableResult func load() throws(ModelError) -> (ModelDescription, ModelTensors) {
    let description = try ArchitectureRegistry.describe(metadata: self, tensors: tensors)
    return (
      description,
      try ModelTensors(description: description, tensors: tensors, file: sourceName)
    )
  }
}
