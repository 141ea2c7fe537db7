package import MoECore
package import MoEExperts

/// What quantising the experts of a model has come to.
package struct QuantizationReport: Sendable {
  /// One matrix of one expert.
  package struct Entry: Sendable {
    package let expert: ExpertID
    package let role: ExpertPartRole
    package let weightCount: Int
    package let outcome: QuantizationOutcome
  }

  package private(set) var entries: [Entry] = []

  package init() {}

  package mutating func add(_ expert: ExpertID, _ parts: [ExpertQuantizer.Part]) {
    for part in parts {
      entries.append(
        Entry(
          expert: expert, role: part.role,
          weightCount: part.weights.rowCount * part.weights.columnCount, outcome: part.outcome))
    }
  }

  /// Matrices that were rounded to the nearest values though GPTQ was wanted, and why.
  package var fallbacks: [(expert: ExpertID, role: ExpertPartRole, reason: String)] {
    entries.compactMap { entry in
      guard case .nearest(let reason) = entry.outcome.method, reason != .chosen else { return nil }
      return (entry.expert, entry.role, reason.description)
    }
  }

  /// What results lose on the calibration rows, as a share of their squares; had all weights been
  /// rounded to the nearest values, and as they are. Nil where there were no rows.
  package func relativeLoss(ofLayer layer: Int? = nil) -> (nearest: Double, reached: Double)? {
    let chosen = entries.filter { layer == nil || $0.expert.layer == layer }
    let signal = chosen.reduce(0) { $0 + $1.outcome.signal }
    guard signal > 0 else { return nil }
    return (
      chosen.reduce(0) { $0 + $1.outcome.nearestLoss } / signal,
      chosen.reduce(0) { $0 + $1.outcome.loss } / signal
    )
  }

  /// Share of weights that are 0: what QMoE calls natural sparsity.
  package var zeroShare: Double {
    let count = entries.reduce(0) { $0 + $1.weightCount }
    let zeros = entries.reduce(0) { $0 + $1.outcome.zeroShare * Double($1.weightCount) }
    return count == 0 ? 0 : zeros / Double(count)
  }

  package var secondsPerExpert: Double {
    let experts = Set(entries.map(\.expert)).count
    return experts == 0 ? 0 : entries.reduce(0) { $0 + $1.outcome.seconds } / Double(experts)
  }
}
