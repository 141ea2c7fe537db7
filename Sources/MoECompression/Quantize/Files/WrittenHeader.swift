import MoECore
import MoEExperts
import MoEFormats
import MoEModel

/// The header of the file that is written: the source's entries byte for byte, but for those that
/// say what has changed.
struct WrittenHeader {
  /// Up to the first tensor.
  let bytes: [UInt8]
  /// (tensor): its first byte in the file.
  let offsets: [Int]
  /// Of the whole file.
  let fileByteCount: Int

  private static let fileTypeKey = "general.file_type"
  private static let quantizationVersionKey = "general.quantization_version"
  private static let (uint32Type, arrayType): (UInt32, UInt32) = (4, 9)

  init(
    _ tensors: [WrittenTensor], _ plan: QuantizationPlan, _ source: QuantizationSource
  ) throws(QuantizeError) {
    let alignment = source.file.value(forKey: "general.alignment")?.integer ?? 32
    func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    let entries = try Self.entries(tensors, plan, source)
    var bytes = Array("GGUF".utf8)
    bytes.append(littleEndian: source.table.version)
    bytes.append(littleEndian: UInt64(tensors.count))
    bytes.append(littleEndian: UInt64(entries.count))
    for entry in entries { bytes += entry }
    // Readers want each tensor where the one before it ends, in the order of the table.
    var end = 0
    var starts: [Int] = []
    for tensor in tensors {
      Self.append(tensor.name, &bytes)
      bytes.append(littleEndian: UInt32(tensor.dimensions.count))
      for dimension in tensor.dimensions { bytes.append(littleEndian: UInt64(dimension)) }
      bytes.append(littleEndian: tensor.formatID)
      bytes.append(littleEndian: UInt64(end))
      starts.append(end)
      end += padded(tensor.byteCount)
    }
    bytes += Array(repeating: 0, count: padded(bytes.count) - bytes.count)
    self.bytes = bytes
    let dataStart = bytes.count
    offsets = starts.map { dataStart + $0 }
    fileByteCount = dataStart + end
  }

  private static func append(_ text: String, _ bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }

  // MARK: - Entries

  private static func entries(
    _ tensors: [WrittenTensor], _ plan: QuantizationPlan, _ source: QuantizationSource
  ) throws(QuantizeError) -> [[UInt8]] {
    var changed = changedEntries(tensors, plan, source)
    var entries: [[UInt8]] = []
    // Of a split model one file is made.
    for entry in source.table.entries where !entry.key.hasPrefix("split.") {
      if let value = changed.removeValue(forKey: entry.key) {
        entries.append(Self.entry(entry.key, value))
      } else {
        entries.append(try source.headerBytes(entry.bytes))
      }
    }
    for (key, value) in changed.sorted(by: { $0.key < $1.key }) {
      entries.append(entry(key, value))
    }
    return entries
  }

  private static func entry(_ key: String, _ value: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(key, &bytes)
    return bytes + value
  }

  /// By key: type and value.
  private static func changedEntries(
    _ tensors: [WrittenTensor], _ plan: QuantizationPlan, _ source: QuantizationSource
  ) -> [String: [UInt8]] {
    var changed: [String: [UInt8]] = [:]
    if !plan.encoders.isEmpty {
      changed[quantizationVersionKey] = number(2)
      if let fileType = fileType(tensors) { changed[fileTypeKey] = number(fileType) }
    }
    if let counts = expertCounts(plan, source) {
      // The name that the file itself has for its architecture begins its keys.
      let architecture = source.file.architecture ?? source.description.architecture
      changed["\(architecture).expert_count"] = counts
    }
    return changed
  }

  private static func number(_ value: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: uint32Type)
    bytes.append(littleEndian: value)
    return bytes
  }

  /// One number where all layers keep as many, else one for each layer of the file. Nil where no
  /// expert is left out.
  private static func expertCounts(
    _ plan: QuantizationPlan, _ source: QuantizationSource
  ) -> [UInt8]? {
    let layers = source.experts.layers
    let counts = layers.indices.map { layer in
      layers[layer].expertCount == 0 ? 0 : plan.keptExperts(ofLayer: layer, source).count
    }
    guard counts != layers.map(\.expertCount) else { return nil }
    let routed = Set(source.experts.routedLayers.map { counts[$0] })
    if routed.count == 1, let count = routed.first { return number(UInt32(count)) }
    let architecture = source.file.architecture ?? source.description.architecture
    let layerCount =
      source.file.value(forKey: "\(architecture).block_count")?.integer ?? layers.count
    var bytes: [UInt8] = []
    bytes.append(littleEndian: arrayType)
    bytes.append(littleEndian: uint32Type)
    bytes.append(littleEndian: UInt64(layerCount))
    for layer in 0..<layerCount {
      bytes.append(littleEndian: layer < counts.count ? UInt32(counts[layer]) : 0)
    }
    return bytes
  }

  /// What most elements are in, by the number that GGUF files have for it; nil where that is not
  /// a format that is written here, and the file says itself what it is.
  private static func fileType(_ tensors: [WrittenTensor]) -> UInt32? {
    var counts: [UInt32: Int] = [:]
    for tensor in tensors {
      counts[tensor.formatID, default: 0] += tensor.dimensions.reduce(1, *)
    }
    let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return most.flatMap { fileTypes[$0.key] }
  }

  /// By element format: Q4_0, Q8_0, Q2_K, Q3_K_S, Q4_K_S, Q5_K_S, Q6_K.
  private static let fileTypes: [UInt32: UInt32] = [
    2: 2, 8: 7, 10: 10, 11: 11, 12: 14, 13: 16, 14: 18,
  ]
}
