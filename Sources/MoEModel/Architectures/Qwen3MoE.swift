/// Qwen3-MoE (arXiv 2505.09388): softmax weights of the chosen experts made to sum to 1, a norm on
/// each query and key head, grouped key and value heads.
enum Qwen3MoE {
  static let architecture = Architecture(
    name: "qwen3moe", summary: "Qwen3-MoE: renormalised softmax top-k, norms on Q and K heads."
  ) { reader throws(ModelError) in
    try reader.standardDescription(queryKeyNorm: .perHead, renormalizesWeights: true)
  }
}
