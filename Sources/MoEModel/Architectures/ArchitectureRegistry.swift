package import MoECore

/// A family of models: how the metadata of its files becomes a `ModelDescription`.
package struct Architecture: Sendable {
  /// As `general.architecture` names it.
  package let name: String
  package let summary: String
  package let describe: @Sendable (ArchitectureReader) throws(ModelError) -> ModelDescription
}

/// Every architecture that the decoder can run.
package enum ArchitectureRegistry {
  package static let all: [Architecture] = [
    OLMoE.architecture,
    Qwen3MoE.architecture,
  ]

  /// Describes the model of a file from its metadata and tensor table.
  package static func describe(
    metadata: some MetadataSource, tensors: [TensorDescriptor]
  ) throws(ModelError) -> ModelDescription {
    let reader = try ArchitectureReader(metadata: metadata, tensors: tensors)
    guard let architecture = all.first(where: { $0.name == reader.architecture }) else {
      throw .unsupportedArchitecture(
        found: reader.architecture, supported: all.map(\.name), file: reader.file)
    }
    return try architecture.describe(reader)
  }
}
