import Foundation
import MoEModel

/// Routers of published families, each with the numbers of a published model or of its golden.
struct RouterFamily: Sendable {
  let name: String
  let description: RouterDescription

  init(_ name: String, _ description: RouterDescription) {
    self.name = name
    self.description = description
  }

  /// - Parameters:
  ///   - scale: Factor on the weights.
  ///   - groups: Count, chosen count and rule.
  static func router(
    _ expertCount: Int, _ expertsPerToken: Int, _ scoring: RouterScoring = .softmax,
    bias: Bool = false, groups: (Int, Int, ExpertGroups.Rule)? = nil, renormalizes: Bool = false,
    epsilon: Float = 0, scale: Float = 1, placement: WeightPlacement = .output,
    expertScale: Bool = false
  ) -> RouterDescription {
    RouterDescription(
      expertCount: expertCount, expertsPerToken: expertsPerToken, scoring: scoring,
      hasSelectionBias: bias,
      groups: groups.map { ExpertGroups(count: $0.0, chosenCount: $0.1, rule: $0.2) },
      renormalizesWeights: renormalizes, renormalizationEpsilon: epsilon, weightScale: scale,
      weightPlacement: placement, hasExpertScale: expertScale)
  }

  static let published: [RouterFamily] = [
    RouterFamily("OLMoE", router(64, 8)),
    RouterFamily("Qwen3-MoE", router(128, 8, renormalizes: true)),
    RouterFamily("Mixtral", router(8, 2, renormalizes: true)),
    RouterFamily("Qwen1.5-MoE", router(60, 4)),
    RouterFamily(
      "GLM-4.5",
      router(160, 8, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)
    ),
    RouterFamily("gpt-oss", router(32, 4, .softmaxOfChosen)),
    RouterFamily("DeepSeek-V2", router(160, 6, groups: (8, 3, .max), scale: 16)),
    RouterFamily("DeepSeek-V2-Lite", router(64, 6)),
    RouterFamily(
      "DeepSeek-V3",
      router(
        256, 8, .sigmoid, bias: true, groups: (8, 4, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "DeepSeek-V4",
      router(256, 6, .sqrtSoftplus, bias: true, renormalizes: true, epsilon: 1e-20, scale: 1.5)),
    RouterFamily("Phi-3.5-MoE", router(16, 2, .sparseMixer)),
    RouterFamily("Granite 3.1", router(32, 8, .softmaxOfChosen)),
    RouterFamily(
      "Ling-2",
      router(
        256, 8, .sigmoid, bias: true, groups: (8, 4, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.5)),
    RouterFamily("Llama 4", router(16, 1, .sigmoid, placement: .input)),
    RouterFamily("Gemma 4", router(128, 8, renormalizes: true, expertScale: true)),
    RouterFamily("MiniMax-M2", router(256, 8, .sigmoid, bias: true, renormalizes: true)),
    RouterFamily("ERNIE 4.5", router(64, 6, bias: true, renormalizes: true, epsilon: 1e-12)),
    RouterFamily(
      "dots.llm1",
      router(128, 6, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)
    ),
    RouterFamily("LFM2", router(32, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-6)),
    RouterFamily("Hunyuan-A13B", router(64, 8, renormalizes: true)),
    RouterFamily(
      "Step-3.5", router(288, 8, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 3)
    ),
  ]

  /// Golden models, whose recorded logits, experts and weights are known.
  static let golden: [RouterFamily] = [
    RouterFamily("olmoe", router(8, 2)),
    RouterFamily("qwen3moe", router(16, 4, renormalizes: true)),
    RouterFamily("mixtral", router(8, 2, renormalizes: true)),
    RouterFamily("qwen2moe", router(12, 4)),
    RouterFamily(
      "glm4moe", router(12, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 1.5)
    ),
    RouterFamily("gpt-oss", router(8, 4, .softmaxOfChosen)),
    RouterFamily("deepseek2-lite", router(8, 3)),
    RouterFamily(
      "deepseek3",
      router(
        16, 4, .sigmoid, bias: true, groups: (4, 2, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "deepseek3-plain",
      router(
        12, 4, .sigmoid, bias: true, groups: (2, 1, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.827)),
    RouterFamily(
      "glm4moe-lite",
      router(10, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 1.8)),
    RouterFamily("minimax-m2", router(16, 4, .sigmoid, bias: true, renormalizes: true)),
    RouterFamily("llama4", router(8, 1, .sigmoid, placement: .input)),
    RouterFamily("phimoe", router(8, 2, .sparseMixer)),
    RouterFamily(
      "dots1", router(12, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)),
    RouterFamily("hunyuan-moe", router(8, 3, renormalizes: true)),
    RouterFamily("gemma4", router(8, 3, renormalizes: true, expertScale: true)),
    RouterFamily("qwen3next", router(12, 3, renormalizes: true)),
    RouterFamily("qwen35moe", router(8, 3, renormalizes: true)),
    RouterFamily("granite-hybrid-moe", router(10, 3, .softmaxOfChosen)),
    RouterFamily("mistral4", router(16, 4, renormalizes: true, epsilon: 1e-20)),
    RouterFamily(
      "lfm2moe", router(8, 3, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-6)),
    // Recorded before its factor of 3.
    RouterFamily(
      "step35", router(9, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20)),
    RouterFamily(
      "afmoe", router(9, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "exaone-moe",
      router(9, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "nemotron-h-moe",
      router(10, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "kimi-linear",
      router(9, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.446)),
    RouterFamily(
      "bailingmoe3",
      router(
        8, 3, .sigmoid, bias: true, groups: (2, 1, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "deepseek32",
      router(
        9, 4, .sigmoid, bias: true, groups: (3, 2, .bestTwoSum), renormalizes: true,
        epsilon: 1e-20, scale: 2.5)),
    RouterFamily(
      "glm-dsa",
      router(9, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20, scale: 2.5)),
    RouterFamily("mimo2", router(10, 4, .sigmoid, bias: true, renormalizes: true, epsilon: 1e-20)),
    RouterFamily("minimax-m3", router(12, 4, .sigmoid, bias: true, renormalizes: true)),
    RouterFamily("qwen3vlmoe", router(10, 4, renormalizes: true)),
    RouterFamily("qwen4exp", router(12, 4, renormalizes: true)),
    RouterFamily("jamba", router(8, 2)),
    RouterFamily(
      "deepseek4-mxfp4",
      router(8, 3, .sqrtSoftplus, bias: true, renormalizes: true, epsilon: 1e-20, scale: 1.5)),
  ]
}

/// The published rules in double precision, written in the plainest form.
struct NaiveRouter {
  let description: RouterDescription
  let bias: [Double]?
  let expertScales: [Double]?

  struct Result {
    /// Best first.
    var experts: [Int]
    var weights: [Double]
    /// Whether rounding may decide.
    var isCloseCall: Bool
  }

  func route(_ logits: [Double]) -> Result {
    let scores = self.scores(logits)
    var preferences = scores
    if let bias { for expert in logits.indices { preferences[expert] += bias[expert] } }
    var isClose = false
    if let groups = description.groups {
      let size = logits.count / groups.count
      let values = (0..<groups.count).map { group -> Double in
        let sorted = preferences[group * size..<(group + 1) * size].sorted(by: >)
        return groups.rule == .max ? sorted[0] : sorted[0] + sorted[1]
      }
      let order = Self.order(values)
      isClose = Self.isClose(values, order, groups.chosenCount)
      for group in order.dropFirst(groups.chosenCount) {
        for expert in group * size..<(group + 1) * size { preferences[expert] = -.infinity }
      }
    }
    let order = Self.order(preferences)
    isClose = isClose || Self.isClose(preferences, order, description.expertsPerToken)
    let experts = order.prefix(description.expertsPerToken).sorted {
      (-logits[$0], $0) < (-logits[$1], $1)
    }
    var weights = experts.map { scores[$0] }
    if description.scoring == .softmaxOfChosen {
      let powers = experts.map { exp(logits[$0] - logits[experts[0]]) }
      weights = powers.map { $0 / powers.reduce(0, +) }
    }
    if description.scoring == .sparseMixer {
      weights = mix(logits, experts)
      isClose = isClose || isCloseToTheDistance(logits, experts)
    }
    if description.renormalizesWeights {
      let sum = weights.reduce(0, +) + Double(description.renormalizationEpsilon)
      weights = weights.map { $0 / sum }
    }
    weights = weights.map { $0 * Double(description.weightScale) }
    if let expertScales { weights = zip(weights, experts).map { $0 * expertScales[$1] } }
    return Result(experts: experts, weights: weights, isCloseCall: isClose)
  }

  private func scores(_ logits: [Double]) -> [Double] {
    switch description.scoring {
    case .softmax:
      let largest = logits.max() ?? 0
      let powers = logits.map { exp($0 - largest) }
      return powers.map { $0 / powers.reduce(0, +) }
    case .sigmoid: return logits.map { 1 / (1 + exp(-$0)) }
    case .sqrtSoftplus: return logits.map { log(1 + exp($0)).squareRoot() }
    case .softmaxOfChosen, .sparseMixer: return logits
    }
  }

  /// How far a logit is below the chosen one, as a part of the larger magnitude.
  private static func distance(_ logit: Double, from chosen: Double) -> Double {
    let size = max(abs(logit), chosen)
    return size == 0 ? 0 : (chosen - logit) / size
  }

  /// One expert after the other: its share in a softmax over itself and those of the rest that are
  /// near.
  private func mix(_ logits: [Double], _ experts: [Int]) -> [Double] {
    var rest = Set(logits.indices)
    return experts.map { chosen in
      let near = rest.filter { Self.distance(logits[$0], from: logits[chosen]) <= 0.02 }
      rest.remove(chosen)
      return 1 / near.reduce(0) { $0 + exp(logits[$1] - logits[chosen]) }
    }
  }

  private func isCloseToTheDistance(_ logits: [Double], _ experts: [Int]) -> Bool {
    experts.contains { chosen in
      logits.contains { abs(Self.distance($0, from: logits[chosen]) - 0.02) < 1e-6 }
    }
  }

  /// The largest first, the first of equals.
  private static func order(_ values: [Double]) -> [Int] {
    values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
  }

  /// Whether two of the first `count` and the next are all but equal; equals themselves are not.
  private static func isClose(_ values: [Double], _ order: [Int], _ count: Int) -> Bool {
    zip(order, order.dropFirst()).prefix(count).contains { first, second in
      let (a, b) = (values[first], values[second])
      return a != b && abs(a - b) <= 3e-6 * max(abs(a), abs(b), 1e-3)
    }
  }
}
