import MoEAnalysis
import MoERuntime

/// How many parameters a model has and one token uses, and what dense model that is worth by a
/// published law.
struct ParameterReport: Encodable {
  /// Elements of all tensors.
  let total: Int
  /// Those that one token uses, without embeddings; nil where experts per token are unknown.
  let active: Int?
  /// Parameters of the dense model of the same loss by the law; nil for models without experts.
  let effective: Int?
  /// Routed experts over experts per token: stands for the law's number of experts.
  let expertRatio: Double?
  let law: String?
  /// What the figure does not say.
  let limits: String?

  init(_ model: ModelInspection) {
    var (total, dense, routed) = (0.0, 0.0, 0.0)
    for tensor in model.tensors {
      // Shapes come from a file that nobody has to be able to load.
      let count = tensor.shape.reduce(1.0) { $0 * Double(max(0, $1)) }
      total += count
      if tensor.name.contains("_exps.") {
        routed += count
      } else if !["token_embd.weight", "output.weight"].contains(tensor.name) {
        dense += count
      }
    }
    let counts = model.experts.map { Set($0.layers.map(\.expertCount)) } ?? []
    let perToken = model.experts?.expertsPerToken ?? 0
    self.total = Self.whole(total)
    guard let experts = counts.max(), perToken > 0, perToken <= experts else {
      active = model.experts == nil ? Self.whole(dense) : nil
      (effective, expertRatio, law, limits) = (nil, nil, nil, nil)
      return
    }
    let active = Self.whole(dense + routed * Double(perToken) / Double(experts))
    let worth = EffectiveParameters(
      activeCount: active, expertCount: experts, expertsPerToken: perToken)
    self.active = active
    effective = worth.map { Self.whole($0.count) }
    expertRatio = worth?.expertRatio
    law = worth?.law.router
    limits = worth.map { _ in EffectiveParameters.limits }
  }

  private static func whole(_ count: Double) -> Int { Int(min(count.rounded(), 1e18)) }
}

extension ParameterReport {
  /// The report for people, one or two lines.
  var text: String {
    let used = active.map { ", \(Self.short($0)) used by one token without embeddings" } ?? ""
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
