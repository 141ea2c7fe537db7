package import MoECore
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore

/// What a model's files say of themselves, without reading weights. It also serves models that the
/// engine cannot run: those of other architectures or formats, and those without experts.
package struct ModelInspection: Sendable {
  package struct File: Sendable {
    package let path: String
    package let byteCount: Int
  }

  package struct Entry: Sendable {
    /// Elements of an array that are given.
    package static let elementCountMax = 8

    package let key: String
    /// Of an array, and of arrays in it, only the start.
    package let value: MetadataValue
    /// Elements that an array has in the file; nil for other values.
    package let elementCount: Int?
  }

  package struct Tensor: Sendable {
    package let name: String
    /// As GGUF tools print it, for example `Q4_K`.
    package let format: String
    /// Innermost first, as in the file.
    package let shape: [Int]
    /// Nowhere for experts that are in the records of a bundle.
    package let extent: FileExtent
  }

  /// All tensors of one element format.
  package struct FormatTotal: Sendable {
    package let format: String
    package var tensorCount = 0
    package var byteCount = 0
    /// Whether the engine computes with it.
    package let isSupported: Bool
  }

  /// The files of the model in order; tensors' `fileIndex` points here.
  package let files: [File]
  /// The format and its version.
  package let formatName: String
  /// Nil where the model is in another format.
  package let ggufVersion: Int?
  /// `general.architecture` and `general.name`, where the file has them.
  package let architecture: String?
  package let name: String?
  /// In the file's order.
  package let metadata: [Entry]
  /// In the file's order.
  package let tensors: [Tensor]
  /// By descending size.
  package let formats: [FormatTotal]
  /// Nil where the model has none.
  package let experts: ExpertSummary?
  /// Why the engine cannot run the model; nil where it can.
  package let obstacle: String?
  /// The bundle that the model is in or that is beside it, or what is wrong with that; nil where
  /// there is none.
  package let bundle: String?
  /// What is missing of a file that has its full size; nil where nothing is known to be.
  package let hole: HoleInTensor?

  package init(path: String) throws(EngineError) {
    let file: any StoredModel
    do {
      file = try FormatRegistry.open(path)
    } catch {
      throw .format(error)
    }
    files = file.files.map { File(path: $0.path, byteCount: $0.byteCount) }
    formatName = file.formatName
    ggufVersion = (file as? GGUFFile ?? (file as? BundledModel)?.original)?.version
    architecture = file.architecture
    name =
      if case .string(let name) = file.value(forKey: "general.name") { name } else { nil }
    metadata = file.keys.compactMap { key in
      if let array = file.storedArray(forKey: key) {
        let start = array.decoded(countMax: Entry.elementCountMax)
        return Entry(key: key, value: .array(start), elementCount: array.count)
      }
      return file.value(forKey: key).map { Entry(key: key, value: $0, elementCount: nil) }
    }
    tensors = file.tensors.map { tensor in
      Tensor(
        name: tensor.name, format: tensor.formatName, shape: tensor.shape,
        extent: tensor.extent)
    }
    formats = Self.formatTotals(file.tensors)
    hole = try HoleInTensor.first(of: file.tensors, inFilesAt: files.map(\.path))
    experts = ExpertSummary(
      tensors: file.tensors,
      expertsPerToken: file.architecture.flatMap { architecture in
        file.value(forKey: "\(architecture).expert_used_count")?.integer
      })
    let header: LoadedHeader
    do {
      header = try LoadedHeader(file)
      obstacle = nil
    } catch {
      obstacle = "\(error)"
      bundle = nil
      return
    }
    do {
      let bundle =
        try header.bundle
        ?? BundleChoice.automatic.bundle(ofModelAt: files[0].path, mirrors: [])
      self.bundle = try bundle.map { bundle throws(EngineError) in
        let reading = header.bundle == nil ? try header.reading(from: bundle) : header
        let summary = BundleSummary(bundle, of: reading.tensors.experts).description
        return bundle.isTernary ? summary + "; used only where it is asked for" : summary
      }
    } catch {
      bundle = "not to be used: \(error)"
    }
  }

  package var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

  private static func formatTotals(_ tensors: [TensorDescriptor]) -> [FormatTotal] {
    var totals: [String: FormatTotal] = [:]
    for tensor in tensors {
      let name = tensor.formatName
      var total =
        totals[name]
        ?? FormatTotal(
          format: name, isSupported: QuantFormat(ggmlType: tensor.formatID) != nil)
      total.tensorCount += 1
      total.byteCount += tensor.storedByteCount
      totals[name] = total
    }
    return totals.values.sorted { ($1.byteCount, $0.format) < ($0.byteCount, $1.format) }
  }
}

/// The routed experts of a model, as the names and shapes of its tensors tell.
package struct ExpertSummary: Sendable {
  package struct Layer: Sendable {
    package let index: Int
    package let expertCount: Int
    package let byteCountPerExpert: Int
  }

  /// Layers that have routed experts, ascending.
  package let layers: [Layer]
  /// Nil where the metadata does not say.
  package let expertsPerToken: Int?

  /// More are no number of an expert.
  private static let singleExpertCountMax = 1 << 16

  /// Bytes of all routed experts.
  package var byteCount: Int {
    layers.reduce(0) { $0 + $1.expertCount * $1.byteCountPerExpert }
  }

  /// Bytes of the routed experts that one token uses; nil where their number is unknown.
  package var byteCountPerToken: Int? {
    expertsPerToken.map { count in
      layers.reduce(0) { $0 + min(count, $1.expertCount) * $1.byteCountPerExpert }
    }
  }

  /// Nil where there are neither tensors named `blk.<layer>.ffn_…_exps.…`, stacks along their last
  /// dimension, nor such as `blk.<layer>.ffn_….<expert>.…`, one for each expert.
  init?(tensors: [TensorDescriptor], expertsPerToken: Int?) {
    var stacks: [Int: (expertCount: Int, byteCount: Int)] = [:]
    var singles: [Int: (expertCount: Int, byteCount: Int)] = [:]
    for tensor in tensors {
      let parts = tensor.name.split(separator: ".")
      guard parts.count >= 4, parts[0] == "blk", let layer = Int(parts[1]),
        parts[2].hasPrefix("ffn_")
      else { continue }
      if let expert = Int(parts[3]), (0..<Self.singleExpertCountMax).contains(expert) {
        var single = singles[layer] ?? (0, 0)
        single.expertCount = max(single.expertCount, expert + 1)
        single.byteCount += tensor.storedByteCount
        singles[layer] = single
        continue
      }
      guard parts[2].hasSuffix("_exps"), tensor.shape.count > 1,
        let expertCount = tensor.shape.last, expertCount > 0
      else { continue }
      var stack = stacks[layer] ?? (expertCount, 0)
      // A stack of another height does not belong to the others; the model is then not runnable.
      guard stack.expertCount == expertCount else { continue }
      stack.byteCount += tensor.storedByteCount
      stacks[layer] = stack
    }
    stacks.merge(singles) { stack, _ in stack }
    guard !stacks.isEmpty else { return nil }
    layers = stacks.sorted { $0.key < $1.key }.map { index, stack in
      Layer(
        index: index, expertCount: stack.expertCount,
        byteCountPerExpert: stack.byteCount / stack.expertCount)
    }
    self.expertsPerToken = expertsPerToken.map { max(0, $0) }
  }
}
