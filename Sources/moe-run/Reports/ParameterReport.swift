import MoEAnalysis
import MoECore
import MoERuntime

/// How many parameters a model has and one token uses, and what dense model that is worth by a
/// published law.
struct ParameterReport: Encodable {
  /// Elements of all tensors.
  let total: Int
  /// Those that one token uses, without tables that a row is looked up in (the embedding, unless it
  /// is the output matrix too) and layers that predict further tokens; nil where experts per token
  /// are unknown.
  let active: Int?
  /// Parameters of the dense model of the same loss by the law; nil for models without experts.
  let effective: Int?
  /// Routed experts over experts per token: stands for the law's number of experts.
  let expertRatio: Double?
  let law: String?
  /// What the figure does not say.
  let limits: String?

  init(_ model: ModelInspection) {
    var (total, dense, routed, output) = (0.0, 0.0, 0.0, 0.0)
    let outputName = Self.outputName(model)
    let layerCount = Self.layerCount(model)
    for tensor in model.tensors {
      // Shapes come from a file that nobody has to be able to load.
      let count = tensor.shape.reduce(1.0) { $0 * Double(max(0, $1)) }
      total += count
      let parts = tensor.name.split(separator: ".")
      if parts.first == "blk", let layer = Int(parts.dropFirst().first ?? ""),
        layer >= layerCount ?? .max
      {
        continue
      }
      if tensor.name == outputName {
        output += count
      } else if Self.isOfAnExpert(parts) {
        routed += count
      } else if !Self.lookUpTables.contains(where: { tensor.name.hasSuffix($0) }) {
        dense += count
      }
    }
    let counts = model.experts.map { Set($0.layers.map(\.expertCount)) } ?? []
    let perToken = model.experts?.expertsPerToken ?? 0
    self.total = Self.whole(total)
    guard let experts = counts.max(), perToken > 0, perToken <= experts else {
      active = model.experts == nil ? Self.whole(dense + output) : nil
      (effective, expertRatio, law, limits) = (nil, nil, nil, nil)
      return
    }
    let used = dense + routed * Double(perToken) / Double(experts)
    // The law counts no output matrix.
    let worth = EffectiveParameters(
      activeCount: Self.whole(used), expertCount: experts, expertsPerToken: perToken)
    active = Self.whole(used + output)
    effective = worth.map { Self.whole($0.count) }
    expertRatio = worth?.expertRatio
    law = worth?.law.router
    limits = worth.map { _ in EffectiveParameters.limits }
  }

  /// What names of tensors end with of which a token reads a row: of the vocabulary, by layer, and
  /// by layer for the choice of experts.
  private static let lookUpTables = ["token_embd.weight", "ffn_gate_tid2eid.weight"]

  /// The embedding where there is no output matrix of its own.
  private static func outputName(_ model: ModelInspection) -> String {
    let name = "output.weight"
    return model.tensors.contains { $0.name == name } ? name : "token_embd.weight"
  }

  /// Layers that the next token passes through; nil where the file does not say.
  private static func layerCount(_ model: ModelInspection) -> Int? {
    func integer(_ key: String) -> Int? {
      let name = "\(model.architecture ?? "").\(key)"
      return model.metadata.first { $0.key == name }?.value.integer
    }
    guard let all = integer("block_count") else { return nil }
    return all - min(max(0, integer("nextn_predict_layers") ?? 0), max(0, all))
  }

  /// Whether a tensor has a part of each expert, or of one: a scale is the router's.
  private static func isOfAnExpert(_ parts: [Substring]) -> Bool {
    guard parts.count >= 4, parts[2].hasPrefix("ffn_") else { return false }
    return Int(parts[3]) != nil || (parts[2].hasSuffix("_exps") && parts[3] != "scale")
  }

  private static func whole(_ count: Double) -> Int { Int(min(count.rounded(), 1e18)) }
}

extension ParameterReport {
  /// The report for people, one or two lines.
  var text: String {
    let used = active.map { ", \(Self.short($0)) used by one token without look-ups" } ?? ""
    guard let effective, let limits else { return Self.short(total) + used }
    return "\(Self.short(total))\(used); by a published law worth a dense model of "
      + "\(Self.short(effective))\n          \(limits)"
  }

  private static func short(_ count: Int) -> String {
    switch Double(count) {
    case 1e9...: "\(Decimals.text(Double(count) / 1e9, 1)) B"
    case 1e6...: "\(Decimals.text(Double(count) / 1e6, 1)) M"
    case 1e3...: "\(Decimals.text(Double(count) / 1e3, 1)) k"
    default: "\(count)"
    }
  }
}
