import MoECore
import MoEExperts
import MoEFormats
import MoEModel
import MoEStore
import MoETemplates
import MoETokenizer

/// A model's files as far as their headers go: checked and understood, no weights read.
struct LoadedHeader {
  private(set) var description: ModelDescription
  private(set) var tensors: ModelTensors
  let tokenizer: Tokenizer
  /// The model's own, and after them that of a bundle beside them.
  private(set) var files: [StoreFile]
  /// Bytes of the model's own files.
  let byteCount: Int
  /// What the experts are read from, where that is not the model's own files.
  private(set) var bundle: Bundle?
  let name: String?
  /// The model's chat templates by their names; the usual one is `default`.
  let chatTemplates: [String: String]
  /// What the header takes in memory while it is read, besides what this value keeps of it.
  let headerByteCount: Int
  /// What is missing of a file that has its full size; weights are not to be used then.
  let hole: HoleInTensor?

  init(path: String) throws(EngineError) {
    let file: any StoredModel
    do {
      file = try FormatRegistry.open(path)
    } catch {
      throw .format(error)
    }
    try self.init(file)
  }

  /// The same model, its experts being read from a bundle beside it.
  func reading(from bundle: Bundle) throws(EngineError) -> LoadedHeader {
    var header = self
    do throws(BundleError) {
      try bundle.check(isOf: files)
      header.tensors.experts = try tensors.experts.stored(in: bundle, fileIndex: files.count)
    } catch {
      throw .store(error.description)
    }
    header.files.append(bundle.file)
    header.bundle = bundle
    return header
  }

  /// The same model with its bundle's copies of all experts in fewer bits, where that has some.
  func readingLowCopies() throws(EngineError) -> LoadedHeader {
    guard let bundle, let fileIndex = files.lastIndex(of: bundle.file) else { return self }
    var header = self
    do throws(BundleError) {
      header.tensors.lowExperts = try tensors.experts.lowCopies(in: bundle, fileIndex: fileIndex)
    } catch {
      throw .store(error.description)
    }
    return header
  }

  /// Has the experts read from the records of a bundle that the model is in as a whole.
  private mutating func readExperts(from bundle: Bundle) throws(EngineError) {
    do throws(BundleError) {
      tensors.experts = try tensors.experts.stored(in: bundle, fileIndex: 0)
      guard tensors.isComplete else { throw .damagedTable(path: bundle.file.path) }
    } catch {
      throw .store(error.description)
    }
    self.bundle = bundle
  }

  /// Decides for texts of up to so many positions what depends on it.
  func adapted(toContext length: Int) -> LoadedHeader {
    var adapted = self
    adapted.description.adapt(toContext: length)
    return adapted
  }

  /// `tokenizer.chat_template`, and others with a name behind it (`tokenizer.chat_template.rag`).
  private static func chatTemplates(of file: any StoredModel) -> [String: String] {
    let key = "tokenizer.chat_template"
    var templates: [String: String] = [:]
    for found in file.keys where found == key || found.hasPrefix(key + ".") {
      guard case .string(let source) = file.value(forKey: found) else { continue }
      let name = found.dropFirst(key.count + 1)
      templates[name.isEmpty ? ChatTemplateSet.defaultName : String(name)] = source
    }
    return templates
  }

  init(_ file: any StoredModel) throws(EngineError) {
    do {
      try file.requireModel()
    } catch {
      throw .format(error)
    }
    do {
      description = try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors)
      tensors = try ModelTensors(
        description: description, tensors: file.tensors, file: file.sourceName)
    } catch {
      throw .model(error)
    }
    do {
      tokenizer = try Tokenizer(metadata: file)
    } catch {
      throw .tokenizer(error)
    }
    files = file.files.map {
      StoreFile(path: $0.path, byteCount: $0.byteCount, identity: $0.identity)
    }
    hole = try HoleInTensor.first(of: file.tensors, inFilesAt: files.map(\.path))
    byteCount = file.totalByteCount
    headerByteCount = file.headerByteCount
    chatTemplates = Self.chatTemplates(of: file)
    if case .string(let name) = file.value(forKey: "general.name") {
      self.name = name
    } else {
      name = nil
    }
    if let bundle = file.bundle { try readExperts(from: bundle) }
  }
}
