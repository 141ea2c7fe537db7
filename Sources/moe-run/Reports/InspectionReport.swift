import MoECore
import MoEReport
import MoERuntime

/// What `inspect --json` writes, these properties in snake_case as its keys.
struct InspectionReport: Encodable {
  struct File: Encodable {
    let path: String
    let bytes: Int
  }

  struct Tensor: Encodable {
    let name: String
    let format: String
    /// Innermost first.
    let shape: [Int]
    let bytes: Int
    /// Index into `files`, and the tensor's first byte there; absent for experts that are in the
    /// records of a bundle.
    let file: Int?
    let offset: Int?
  }

  struct Format: Encodable {
    let name: String
    let tensors: Int
    let bytes: Int
    let supported: Bool
  }

  struct Experts: Encodable {
    struct Layer: Encodable {
      let layer: Int
      let experts: Int
      let bytesPerExpert: Int
    }

    let layers: [Layer]
    let perToken: Int?
    let bytes: Int
    let bytesPerToken: Int?
  }

  let files: [File]
  let bytes: Int
  /// The format and its version.
  let format: String
  /// Absent where the model is in another format.
  let ggufVersion: Int?
  let architecture: String?
  let name: String?
  /// Whether the engine can run the model and, where not, why.
  let supported: Bool
  let obstacle: String?
  /// The bundle that the model is in or that is beside it; absent where there is none.
  let bundle: String?
  /// Absent where nothing is known to be missing of the files.
  let missing: String?
  /// Weights that are no numbers; absent where nobody looked.
  var damaged: [String]?
  let experts: Experts?
  let parameters: ParameterReport
  let formats: [Format]
  let metadata: [MetadataReport]
  let tensors: [Tensor]

  init(_ model: ModelInspection, _ header: ModelHeader) {
    files = model.files.map { File(path: header.named($0.path), bytes: $0.byteCount) }
    bytes = model.byteCount
    format = model.formatName
    ggufVersion = model.ggufVersion
    architecture = model.architecture
    name = model.name
    supported = model.obstacle == nil
    obstacle = model.obstacle
    bundle = model.bundle
    missing = header.missing ?? model.hole?.description
    experts = model.experts.map { experts in
      Experts(
        layers: experts.layers.map {
          .init(layer: $0.index, experts: $0.expertCount, bytesPerExpert: $0.byteCountPerExpert)
        },
        perToken: experts.expertsPerToken, bytes: experts.byteCount,
        bytesPerToken: experts.byteCountPerToken)
    }
    parameters = ParameterReport(model)
    formats = model.formats.map {
      Format(
        name: $0.format, tensors: $0.tensorCount, bytes: $0.byteCount, supported: $0.isSupported)
    }
    metadata = model.metadata.map { MetadataReport($0) }
    tensors = model.tensors.map {
      Tensor(
        name: $0.name, format: $0.format, shape: $0.shape, bytes: $0.extent.byteCount,
        file: $0.extent.isNowhere ? nil : $0.extent.fileIndex,
        offset: $0.extent.isNowhere ? nil : $0.extent.offset)
    }
  }
}

extension InspectionReport {
  /// The report for people. Names in files may hold anything, so they are quoted.
  var text: String {
    """
    model     \(files[0].path)\(files.count > 1 ? " and \(files.count - 1) more" : ""), \
    \(name.map { $0.quotedForMessage + ", " } ?? "")\
    architecture \(architecture?.quotedForMessage ?? "not named"), \(format), \
    \(ByteSize(bytes))
    runs here \(obstacle.map { "no: " + $0 } ?? "yes")
    \(bundle.map { "bundle    \($0)\n" } ?? "")\
    \(missing.map { "missing   \($0)\n" } ?? "")\
    \(damaged.map(damageText) ?? "")\
    experts   \(expertText)
    weights   \(parameters.text)
    formats
    \(Columns.text(formats.map(Self.cells), right: [1, 2]))\
    metadata, \(metadata.count) keys
    \(Columns.text(metadata.map { [$0.key.quotedForMessage, $0.type, $0.text] }))\
    tensors, \(tensors.count)
    \(Columns.text(tensors.map(Self.cells), right: [3]))
    """
  }

  private func damageText(_ damaged: [String]) -> String {
    let records =
      tensors.contains { $0.file == nil } ? " but for those in records ('bundle verify')" : ""
    return damaged.isEmpty
      ? "checked   every weight\(records) is a finite number\n"
      : damaged.map { "damaged   \($0)\n" }.joined()
  }

  private var expertText: String {
    guard let experts else { return "none" }
    let counts = Set(experts.layers.map(\.experts)).sorted().map(String.init)
    let sizes = Set(experts.layers.map(\.bytesPerExpert)).sorted()
    let each = Set([sizes.first, sizes.last].compactMap(\.self)).sorted().map { "\(ByteSize($0))" }
    let perToken = experts.bytesPerToken.map { ", \(ByteSize($0)) per token" } ?? ""
    let used = experts.perToken.map { "\($0)" } ?? "unknown"
    return "\(used) of \(counts.joined(separator: " or ")) "
      + "in each of \(experts.layers.count) layers; \(each.joined(separator: " to ")) each, "
      + "\(ByteSize(experts.bytes)) in all\(perToken)"
  }

  private static func cells(_ format: Format) -> [String] {
    [
      format.name, "\(format.tensors) tensors", "\(ByteSize(format.bytes))",
      format.supported ? "" : "no kernels",
    ]
  }

  private static func cells(_ tensor: Tensor) -> [String] {
    [
      tensor.name.quotedForMessage, tensor.format,
      tensor.shape.map(String.init).joined(separator: " x "), "\(ByteSize(tensor.bytes))",
    ]
  }
}
