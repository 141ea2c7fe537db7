import MoECore
import MoEExperts
import MoEStore

/// What a bundle has of a model's experts.
public struct BundleSummary: Sendable, Codable, Equatable {
  public var path: String
  /// Names of the codecs that parts are in, in the registry's order.
  public var codecs: [String]
  /// Layers whose experts it has.
  public var layerCount: Int
  /// Bytes of its experts, and of the same experts as products read them.
  public var storedByteCount: Int
  public var decodedByteCount: Int
  /// Weights of its experts, and whether they are ternary ones in place of the model's: answers are
  /// then others.
  public var weightCount: Int
  public var isTernary: Bool

  init(_ bundle: Bundle, of layout: ExpertLayout) {
    path = bundle.file.path
    let records = bundle.layers.flatMap(\.records)
    let used = Set(records.flatMap(\.parts).map(\.codecID))
    codecs = CodecRegistry.all.filter { used.contains($0.id) }.map(\.name)
    layerCount = bundle.layers.count
    storedByteCount = records.reduce(0) { $0 + $1.extent.byteCount }
    decodedByteCount = layout.layers.filter { $0.records != nil }.reduce(0) {
      $0 + $1.slotByteCountPerExpert * $1.expertCount
    }
    weightCount = bundle.layers.reduce(0) { sum, layer in
      sum + layer.parts.reduce(0) { $0 + $1.rowCount * $1.columnCount } * layer.records.count
    }
    isTernary = bundle.isTernary
  }
}

extension BundleSummary: CustomStringConvertible {
  /// For reports, a line.
  public var description: String {
    let start = "\(path), \(codecs.joined(separator: " and ")), experts of \(layerCount) layers in "
    if isTernary {
      let bits = (800 * Double(storedByteCount) / Double(max(1, weightCount))).rounded() / 100
      return start + "\(bits) bits a weight, ternary in place of the model's: answers are others"
    }
    let percent = 100 * Double(storedByteCount) / Double(max(1, decodedByteCount))
    return start + "\(Double((percent * 10).rounded()) / 10) % of their bytes"
  }
}
