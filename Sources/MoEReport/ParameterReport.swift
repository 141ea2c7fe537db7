package import MoEAnalysis

/// How many parameters a model has and one token uses, and what dense model that is worth by a
/// published law.
package struct ParameterReport: Encodable {
  /// Elements of all tensors.
  package let total: Int
  /// Those that one token uses, without tables that a row is looked up in (the embedding, unless it
  /// is the output matrix too) and layers that predict further tokens; nil where experts per token
  /// are unknown.
  package let active: Int?
  /// Parameters of the dense model of the same loss by the law; nil for models without experts.
  package let effective: Int?
  /// Routed experts over experts per token: stands for the law's number of experts.
  package let expertRatio: Double?
  package let law: String?
  /// What the figure does not say.
  package let limits: String?

  /// - Parameter worth: What the law says; nil for models without experts.
  package init(total: Int, active: Int?, worth: EffectiveParameters?) {
    self.total = total
    self.active = active
    effective = worth.map { Int(min($0.count.rounded(), 1e18)) }
    expertRatio = worth?.expertRatio
    law = worth?.law.router
    limits = worth.map { _ in EffectiveParameters.limits }
  }
}

extension ParameterReport {
  /// The report for people, one or two lines.
  package var text: String {
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
