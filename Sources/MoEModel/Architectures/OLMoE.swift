/// OLMoE (arXiv 2409.02060): 64 small experts in every layer, softmax weights of the chosen ones
/// used as they are, one norm over the whole query and key projections.
enum OLMoE {
  static let architecture = Architecture(
    name: "olmoe", summary: "OLMoE: softmax top-k without renormalisation, norms on whole Q and K."
  ) { reader throws(ModelError) in
    try reader.standardDescription(queryKeyNorm: .wholeProjection, renormalizesWeights: false)
  }
}
