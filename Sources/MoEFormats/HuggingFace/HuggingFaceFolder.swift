package import MoECore
import MoEPlatform

/// A model as it is published: a folder with `config.json`, safetensors files and `tokenizer.json`.
///
/// Metadata and tensors are those that a GGUF file of the model would have, so that nothing behind
/// this type knows the difference. Weights stay where they are.
package struct HuggingFaceFolder: StoredModel {
  package let files: [ModelFile]
  package let tensors: [TensorDescriptor]
  package let headerByteCount: Int
  package let keys: [String]
  private let values: [String: MetadataValue]
  private let path: String

  package var sourceName: String { path }
  package var formatName: String { "safetensors" }

  package func value(forKey key: String) -> MetadataValue? { values[key] }

  /// The folder that a path means: itself, or the one that a file of the model is in; nil where
  /// neither has a `config.json`.
  static func folder(of path: String) -> String? {
    var candidates = [path]
    if let slash = path.lastIndex(of: "/") {
      candidates.append(String(path[..<slash]))
    } else {
      candidates.append(".")
    }
    let name = path.split(separator: "/").last ?? ""
    let isFile = name.hasSuffix(".safetensors") || name.hasSuffix(".json")
    return (isFile ? candidates : [path]).first { WholeFile.exists("\($0)/config.json") }
  }

  package init(path: String) throws(FormatError) {
    self.path = path
    let configuration = try HuggingFaceConfiguration("\(path)/config.json")
    let folder = try SafeTensorsFolder(path)
    files = folder.files
    tensors = try PublishedTensors(folder, configuration).descriptors()
    var values = try configuration.values()
    let tokenizer = try HuggingFaceTokenizer(folder: path, configuration: configuration.tree)
    values.merge(tokenizer.values) { own, _ in own }
    if let name = path.split(separator: "/").last { values["general.name"] = .string(String(name)) }
    self.values = values
    keys = values.keys.sorted()
    headerByteCount =
      Self.heldByteCount(values) + tensors.reduce(0) { $0 + 256 + $1.name.utf8.count }
  }

  private static func heldByteCount(_ values: [String: MetadataValue]) -> Int {
    values.reduce(0) { sum, entry in
      guard case .array(let array) = entry.value else { return sum + 128 }
      return sum + 128 + array.heldByteCount
    }
  }
}

extension MetadataArray {
  fileprivate var heldByteCount: Int {
    if case .strings(let strings) = self { return strings.bytes.count + strings.offsets.count * 8 }
    return count * 8
  }
}
