import MoECore

/// How the routing of a recorded model behaves, for models of which there is no trace.
///
/// The figures are replays of published traces (`RoutingFamilyTests` computes them anew), of the
/// default policy in pools of `slotMultiples` times the experts that one token takes, for each
/// layer.
package struct RoutingFamily: Sendable {
  /// The name of the trace; the family's label.
  package let trace: String
  /// Begin the architecture names of models that are taken to route alike.
  let architecturePrefixes: [String]
  /// Hit rates for `slotMultiples`; the rest of them, where a pool would hold all experts, is left
  /// out.
  package let hitRates: [Double]
  /// Share of a layer's experts that chunks of 1, 2, 4, … tokens use.
  package let distinctShares: [Double]
  /// Experts over experts per token, of the trace.
  package let expertsPerChoice: Double

  /// Slots per layer over experts per token.
  package static let slotMultiples = [1, 1.5, 2, 3, 4, 6, 8, 12, 16]

  /// The careful choice for unknown models comes first: routing that repeats itself least.
  ///
  /// OLMoE goes with Qwen3: their published hit rates differ by 3 points where those of other
  /// models differ by 30 (arXiv 2505.16056). The traces of 128 tokens are too short to fill large
  /// pools, so their rates from 8 times on are too high.
  package static let all: [RoutingFamily] = [
    RoutingFamily(
      trace: "deepseek-v2-lite-chat-prompts", architecturePrefixes: ["deepseek"],
      hitRates: [0.325, 0.41, 0.478, 0.587, 0.676, 0.821, 0.927],
      distinctShares: [
        0.094, 0.162, 0.272, 0.436, 0.622, 0.778, 0.892, 0.958, 0.986, 0.996, 1, 1, 1,
      ], expertsPerChoice: 64.0 / 6),
    RoutingFamily(
      trace: "gemma-4-26b-a4b-chat", architecturePrefixes: ["gemma"],
      hitRates: [0.404, 0.51, 0.589, 0.694, 0.761, 0.867, 0.944, 1, 1],
      distinctShares: [0.047, 0.078, 0.123, 0.185, 0.27, 0.368, 0.45, 0.523],
      expertsPerChoice: 128.0 / 6),
    RoutingFamily(
      trace: "gpt-oss-20b-mmlu", architecturePrefixes: ["gpt-oss"],
      hitRates: [0.494, 0.623, 0.721, 0.855, 0.932, 0.991],
      distinctShares: [
        0.125, 0.196, 0.295, 0.411, 0.522, 0.619, 0.704, 0.78, 0.845, 0.911, 0.962, 0.988, 0.996,
      ], expertsPerChoice: 32.0 / 4),
    RoutingFamily(
      trace: "mixtral-8x7b-humaneval", architecturePrefixes: ["llama", "mixtral"],
      hitRates: [0.412, 0.555, 0.668, 0.858],
      distinctShares: [0.25, 0.399, 0.604, 0.807, 0.947, 0.989, 0.998, 1, 1],
      expertsPerChoice: 8.0 / 2),
    RoutingFamily(
      trace: "qwen3-30b-a3b-chat", architecturePrefixes: ["qwen3", "olmoe"],
      hitRates: [0.409, 0.511, 0.592, 0.704, 0.786, 0.905, 0.963, 1, 1],
      distinctShares: [0.047, 0.076, 0.124, 0.186, 0.259, 0.339, 0.416, 0.498],
      expertsPerChoice: 128.0 / 6),
  ]

  /// The family of an architecture; for unknown ones the first.
  package static func matching(_ architecture: String) -> RoutingFamily {
    all.first { family in family.architecturePrefixes.contains { architecture.hasPrefix($0) } }
      ?? all[0]
  }

  /// What a user reads.
  package var note: String { "routing like the trace \(trace)" }

  package var distinct: DistinctExperts {
    DistinctExperts(
      distinctShares.enumerated().map { power, share in
        DistinctExperts.Point(demand: Double(1 << power) / expertsPerChoice, share: share)
      })
  }

  /// In the pool of a run.
  func hitRate(_ costs: RunCosts) -> Double {
    hitRate(
      slotsPerLayer: costs.meanSlotsPerLayer, expertsPerToken: costs.expertsPerToken,
      expertCount: costs.expertCount)
  }

  /// Straight lines between the recorded pool sizes, up to 1 where the pool holds every expert.
  package func hitRate(slotsPerLayer: Double, expertsPerToken: Int, expertCount: Int) -> Double {
    let full = Double(expertCount) / Double(expertsPerToken)
    let multiple = slotsPerLayer / Double(expertsPerToken)
    if multiple >= full { return 1 }
    var points = [(0.0, 0.0)]
    points += zip(Self.slotMultiples, hitRates).filter { $0.0 < full }
    points.append((full, 1))
    let next = points.firstIndex { $0.0 > multiple } ?? points.count - 1
    let (low, high) = (points[next - 1], points[next])
    return low.1 + (multiple - low.0) / (high.0 - low.0) * (high.1 - low.1)
  }
}
