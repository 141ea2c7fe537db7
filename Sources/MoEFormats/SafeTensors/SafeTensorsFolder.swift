import MoECore
import MoEPlatform

/// The safetensors files of one model, as they lie in its folder: one, or those that an index
/// lists.
struct SafeTensorsFolder {
  let files: [ModelFile]
  /// Of all files, with the number of the file.
  let tensors: [(fileIndex: Int, tensor: SafeTensorsHeader.Tensor)]

  static let indexName = "model.safetensors.index.json"
  private static let singleName = "model.safetensors"
  private static let indexByteCountMax = 100_000_000

  init(_ folder: String) throws(FormatError) {
    let index = try Self.index(folder)
    let names = index.map { Array(Set($0.values)).sorted() } ?? [Self.singleName]
    var files: [ModelFile] = []
    var tensors: [(fileIndex: Int, tensor: SafeTensorsHeader.Tensor)] = []
    var owners: [String: Int] = [:]
    for (fileIndex, name) in names.enumerated() {
      let file: HeaderFile
      do {
        file = try HeaderFile(path: "\(folder)/\(name)")
      } catch  where error.kind == .unreadable && index != nil {
        throw FormatError(
          .shards, path: "\(folder)/\(name)", wanted: "a file that \(Self.indexName) lists",
          found: error.found)
      }
      let header = try SafeTensorsHeader(file)
      files.append(ModelFile(path: file.path, identity: file.identity))
      for tensor in header.tensors {
        if let other = owners.updateValue(fileIndex, forKey: tensor.name) {
          throw FormatError(
            .shards, path: file.path, subject: "tensor \(tensor.name.quotedForMessage)",
            wanted: "each tensor once", found: "it in \(files[other].path) too")
        }
        tensors.append((fileIndex, tensor))
      }
    }
    for (tensor, name) in index ?? [:] where owners[tensor].map({ names[$0] }) != name {
      throw FormatError(
        .shards, path: "\(folder)/\(Self.indexName)",
        subject: "tensor \(tensor.quotedForMessage)", wanted: "it in \(name.quotedForMessage)",
        found: owners[tensor].map { "it in \(names[$0].quotedForMessage)" } ?? "it nowhere")
    }
    self.files = files
    self.tensors = tensors
  }

  /// The file of each tensor; nil where there is no index.
  private static func index(_ folder: String) throws(FormatError) -> [String: String]? {
    let path = "\(folder)/\(indexName)"
    guard WholeFile.exists(path) else { return nil }
    let bytes = try FolderFile.contents(path, byteCountMax: indexByteCountMax)
    var files: [String: String] = [:]
    do throws(JSONError) {
      var reader = JSONReader(bytes)
      try reader.beginObject()
      while let name = try reader.nextName() {
        guard name == "weight_map" else {
          try reader.skip()
          continue
        }
        try reader.beginObject()
        while let tensor = try reader.nextName() { files[tensor] = try reader.string() }
      }
      try reader.end()
    } catch {
      throw .malformed(error, path: path)
    }
    // A name could lead out of the folder.
    if let name = files.values.first(where: { $0.contains("/") || !$0.hasSuffix(".safetensors") }) {
      throw FormatError(
        .malformed, path: path, wanted: "names of safetensors files beside it",
        found: name.quotedForMessage)
    }
    if files.isEmpty {
      throw FormatError(.malformed, path: path, wanted: "a weight_map", found: "none")
    }
    return files
  }
}

/// Small files of a model's folder.
enum FolderFile {
  static func contents(_ path: String, byteCountMax: Int) throws(FormatError) -> [UInt8] {
    do throws(FileError) {
      return try WholeFile.contents(of: path, byteCountMax: byteCountMax)
    } catch {
      throw FormatError(
        .unreadable, path: path, wanted: "a file of the model", found: error.reason)
    }
  }

  static func json(_ path: String) throws(FormatError) -> JSONTree {
    let bytes = try contents(path, byteCountMax: 16 << 20)
    do {
      return try JSONTree(bytes)
    } catch {
      throw .malformed(error, path: path)
    }
  }

  /// Nil where there is no such file.
  static func optionalJSON(_ path: String) throws(FormatError) -> JSONTree? {
    WholeFile.exists(path) ? try json(path) : nil
  }
}
