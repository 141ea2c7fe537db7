import MoECore
import MoEReport
import MoEStore

/// What `bundle info` says.
enum BundleReport {
  static func text(_ bundle: Bundle) -> String {
    let model = bundle.marks.map { "\(ByteSize($0.byteCount))" }.joined(separator: " and ")
    return """
      bundle    \(bundle.file.path), version \(Bundle.version), \(ByteSize(bundle.file.byteCount))
      model     files of \(model)\(bundle.isStandalone ? ", all in the bundle" : "")
      experts   \(bundle.recordCount) in \(bundle.layers.count) layers, \(orderText(bundle))\(
        bundle.isTernary ? ", ternary in place of the model's: answers are others" : "")
      \(Columns.text(bundle.layers.map(cells), right: [0, 1, 2, 3]))
      """
  }

  private static func orderText(_ bundle: Bundle) -> String {
    switch bundle.order {
    case .byExpert: "in the order of their numbers"
    case .byCoUse: "in an order by co-use"
    }
  }

  private static func cells(_ layer: Bundle.Layer) -> [String] {
    let stored = layer.records.reduce(0) { $0 + $1.extent.byteCount }
    let plain = layer.parts.reduce(0) { $0 + ($1.shape?.byteCount ?? 0) } * layer.records.count
    let percent = (Double(stored) / Double(max(1, plain)) * 1000).rounded() / 10
    let formats = layer.parts.compactMap(\.formatName)
    let used = Set(layer.records.flatMap(\.parts).map(\.codecID))
    let codecs = CodecRegistry.all.filter { used.contains($0.id) }.map(\.name)
    return [
      "layer \(layer.number)", "\(layer.records.count) experts", "\(ByteSize(stored))",
      "\(percent) %", Set(formats).sorted().joined(separator: ", "),
      codecs.joined(separator: " and "),
    ]
  }
}
