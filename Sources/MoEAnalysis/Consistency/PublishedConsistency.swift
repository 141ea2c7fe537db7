/// Published figures of routing consistency and hit rates, as reference points for a model's own.
///
/// From "Not All Models Suit Expert Offloading" (arXiv 2505.16056) and the code and data behind it
/// (MIT licence): 11 domains with 2048 samples of 512 tokens each. SRP is exact. Hit rates are read
/// from figures of December 2025, give or take half a point: one pool for the model, the look-ups
/// of `ReplayConventions.december`, means over samples.
package struct PublishedConsistency: Sendable {
  package enum Stack: String, Sendable, Encodable {
    case encoder
    case decoder
  }

  package let model: String
  package let stack: Stack
  /// Layers of the model, with or without experts.
  package let layerCount: Int
  package let expertCount: Int
  package let expertsPerToken: Int
  /// (segment length as in `segmentLengths`); nil where it was not published.
  package let performances: [Double?]
  /// rho hat for segments of 16 tokens: the size of the best segment router over the model's.
  package let relativeSize: Double
  /// (pool as in `poolRatios`)
  package let lru: [Double]
  package let lfu: [Double]
  /// SCH with a look-ahead of 16 tokens, the definition of December 2025.
  package let segmentCache: [Double]
  package let belady: [Double]

  package static let segmentLengths = [4, 16, 64, 256]
  /// Slots over what one token's experts take in all layers (rho).
  package static let poolRatios = [1, 2, 3]
  package static let source =
    "arXiv 2505.16056 (ICLR 2026), tables and figures; hit rates read from figures, +-0.005"

  /// SRP for segments of so many tokens; nil where it was not published.
  package func performance(segmentLength: Int) -> Double? {
    Self.segmentLengths.firstIndex(of: segmentLength).flatMap { performances[$0] }
  }

  /// The least and the largest SRP among published models, encoders left out.
  package static func band(segmentLength: Int) -> ClosedRange<Double>? {
    let found = all.filter { $0.stack == .decoder }
      .compactMap { $0.performance(segmentLength: segmentLength) }
    guard let least = found.min(), let most = found.max() else { return nil }
    return least...most
  }

  /// By falling SRP for segments of 16 tokens, but for the last ones.
  package static let all: [PublishedConsistency] = [
    PublishedConsistency(
      model: "LLaMA-MoE-v2", stack: .decoder, layerCount: 32, expertCount: 8, expertsPerToken: 2,
      performances: [0.8318, 0.7816, 0.7645, 0.7548], relativeSize: 1.035,
      lru: [0.71, 0.96, 1.00], lfu: [0.74, 0.96, 1.00], segmentCache: [0.78, 0.98, 1.00],
      belady: [0.82, 0.98, 1.00]),
    PublishedConsistency(
      model: "Yuan2.0", stack: .decoder, layerCount: 24, expertCount: 32, expertsPerToken: 2,
      performances: [0.7120, 0.6348, 0.6113, 0.5983], relativeSize: 0.884,
      lru: [0.52, 0.71, 0.80], lfu: [0.59, 0.76, 0.84], segmentCache: [0.63, 0.82, 0.89],
      belady: [0.68, 0.83, 0.90]),
    PublishedConsistency(
      model: "PowerMoE", stack: .decoder, layerCount: 32, expertCount: 40, expertsPerToken: 8,
      performances: [0.6731, 0.5517, 0.5059, 0.4859], relativeSize: 1.393,
      lru: [0.45, 0.69, 0.86], lfu: [0.45, 0.70, 0.87], segmentCache: [0.54, 0.81, 0.94],
      belady: [0.65, 0.85, 0.95]),
    PublishedConsistency(
      model: "Qwen3", stack: .decoder, layerCount: 48, expertCount: 128, expertsPerToken: 8,
      performances: [0.6722, 0.5414, 0.4789, 0.4381], relativeSize: 1.066,
      lru: [0.47, 0.64, 0.75], lfu: [0.41, 0.59, 0.71], segmentCache: [0.55, 0.77, 0.87],
      belady: [0.64, 0.80, 0.88]),
    PublishedConsistency(
      model: "Phi-3.5-MoE", stack: .decoder, layerCount: 32, expertCount: 16, expertsPerToken: 2,
      performances: [0.6515, 0.5198, 0.4660, 0.4378], relativeSize: 1.141,
      lru: [0.43, 0.63, 0.76], lfu: [0.41, 0.61, 0.75], segmentCache: [0.52, 0.75, 0.87],
      belady: [0.61, 0.79, 0.88]),
    PublishedConsistency(
      model: "OLMoE", stack: .decoder, layerCount: 16, expertCount: 64, expertsPerToken: 8,
      performances: [0.6469, 0.5091, 0.4553, 0.4264], relativeSize: 1.056,
      lru: [0.43, 0.61, 0.74], lfu: [0.41, 0.59, 0.72], segmentCache: [0.52, 0.74, 0.86],
      belady: [0.61, 0.78, 0.88]),
    PublishedConsistency(
      model: "GRIN-MoE", stack: .decoder, layerCount: 32, expertCount: 16, expertsPerToken: 2,
      performances: [0.6378, 0.5039, 0.4504, 0.4212], relativeSize: 1.108,
      lru: [0.41, 0.60, 0.73], lfu: [0.39, 0.59, 0.73], segmentCache: [0.50, 0.73, 0.86],
      belady: [0.60, 0.78, 0.87]),
    PublishedConsistency(
      model: "Mixtral-8x7B", stack: .decoder, layerCount: 32, expertCount: 8, expertsPerToken: 2,
      performances: [0.6255, 0.4936, 0.4451, 0.4247], relativeSize: 2.175,
      lru: [0.36, 0.61, 0.83], lfu: [0.33, 0.60, 0.83], segmentCache: [0.46, 0.74, 0.92],
      belady: [0.59, 0.82, 0.94]),
    PublishedConsistency(
      model: "MiniCPM-MoE", stack: .decoder, layerCount: 40, expertCount: 8, expertsPerToken: 2,
      performances: [0.6253, 0.4885, 0.4372, 0.4173], relativeSize: 2.187,
      lru: [0.37, 0.61, 0.82], lfu: [0.32, 0.58, 0.81], segmentCache: [0.45, 0.73, 0.92],
      belady: [0.60, 0.82, 0.94]),
    PublishedConsistency(
      model: "JetMoE", stack: .decoder, layerCount: 24, expertCount: 8, expertsPerToken: 2,
      performances: [0.6022, 0.4745, 0.4278, 0.4109], relativeSize: 2.259,
      lru: [0.32, 0.57, 0.80], lfu: [0.30, 0.56, 0.80], segmentCache: [0.42, 0.71, 0.90],
      belady: [0.56, 0.80, 0.93]),
    PublishedConsistency(
      model: "LLaMA-MoE-v1", stack: .decoder, layerCount: 32, expertCount: 16, expertsPerToken: 4,
      performances: [0.5578, 0.4529, 0.4161, 0.4062], relativeSize: 2.392,
      lru: [0.25, 0.48, 0.74], lfu: [0.28, 0.54, 0.78], segmentCache: [0.39, 0.66, 0.87],
      belady: [0.51, 0.75, 0.91]),
    PublishedConsistency(
      model: "XVERSE-MoE", stack: .decoder, layerCount: 28, expertCount: 64, expertsPerToken: 6,
      performances: [0.5361, 0.3858, 0.3112, 0.2747], relativeSize: 1.238,
      lru: [0.29, 0.42, 0.53], lfu: [0.24, 0.38, 0.50], segmentCache: [0.38, 0.59, 0.72],
      belady: [0.50, 0.66, 0.76]),
    PublishedConsistency(
      model: "Jamba-Mini", stack: .decoder, layerCount: 32, expertCount: 16, expertsPerToken: 2,
      performances: [0.5309, 0.3808, 0.3118, 0.2794], relativeSize: 1.461,
      lru: [0.27, 0.42, 0.55], lfu: [0.22, 0.38, 0.52], segmentCache: [0.36, 0.58, 0.73],
      belady: [0.48, 0.66, 0.78]),
    PublishedConsistency(
      model: "DeepSeek-V2-Lite", stack: .decoder, layerCount: 27, expertCount: 64,
      expertsPerToken: 6,
      performances: [0.5321, 0.3792, 0.3068, 0.2692], relativeSize: 1.284,
      lru: [0.28, 0.42, 0.53], lfu: [0.23, 0.38, 0.49], segmentCache: [0.38, 0.58, 0.72],
      belady: [0.48, 0.65, 0.75]),
    PublishedConsistency(
      model: "DeepSeekMoE", stack: .decoder, layerCount: 28, expertCount: 64, expertsPerToken: 6,
      performances: [0.5228, 0.3694, 0.2956, 0.2575], relativeSize: 2.292,
      lru: [0.27, 0.41, 0.51], lfu: [0.22, 0.35, 0.47], segmentCache: [0.36, 0.57, 0.70],
      belady: [0.48, 0.64, 0.74]),
    PublishedConsistency(
      model: "Qwen2", stack: .decoder, layerCount: 28, expertCount: 64, expertsPerToken: 8,
      performances: [0.5024, 0.3674, 0.3034, 0.2752], relativeSize: 2.588,
      lru: [0.23, 0.38, 0.51], lfu: [0.24, 0.38, 0.51], segmentCache: [0.34, 0.55, 0.71],
      belady: [0.48, 0.65, 0.77]),
    PublishedConsistency(
      model: "NLLB-MoE", stack: .decoder, layerCount: 48, expertCount: 128, expertsPerToken: 2,
      performances: [0.4567, 0.3135, 0.2617, 0.2191], relativeSize: 1.417,
      lru: [0.13, 0.23, 0.31], lfu: [0.18, 0.28, 0.36], segmentCache: [0.28, 0.43, 0.53],
      belady: [0.33, 0.47, 0.56]),
    PublishedConsistency(
      model: "Qwen1.5-MoE", stack: .decoder, layerCount: 24, expertCount: 60, expertsPerToken: 4,
      performances: [0.4723, 0.3071, 0.2250, 0.1871], relativeSize: 1.842,
      lru: [0.19, 0.28, 0.36], lfu: [0.14, 0.24, 0.33], segmentCache: [0.29, 0.46, 0.58],
      belady: [0.39, 0.53, 0.62]),
    PublishedConsistency(
      model: "OpenMoE", stack: .decoder, layerCount: 24, expertCount: 32, expertsPerToken: 2,
      performances: [0.4553, 0.2877, 0.2176, 0.1880], relativeSize: 1.589,
      lru: [0.14, 0.22, 0.30], lfu: [0.16, 0.25, 0.34], segmentCache: [0.24, 0.40, 0.51],
      belady: [0.32, 0.47, 0.57]),
    PublishedConsistency(
      model: "NLLB-MoE", stack: .encoder, layerCount: 48, expertCount: 128, expertsPerToken: 2,
      performances: [0.4440, 0.2524, 0.1951, 0.1653], relativeSize: 1.172,
      lru: [0.11, 0.18, 0.24], lfu: [0.13, 0.21, 0.27], segmentCache: [0.23, 0.36, 0.46],
      belady: [0.28, 0.40, 0.49]),
    PublishedConsistency(
      model: "SwitchTransformers", stack: .encoder, layerCount: 24, expertCount: 128,
      expertsPerToken: 1,
      performances: [0.4164, 0.1933, 0.1234, 0.0999], relativeSize: 2.009,
      lru: [0.04, 0.07, 0.10], lfu: [0.07, 0.11, 0.15], segmentCache: [0.13, 0.21, 0.27],
      belady: [0.15, 0.24, 0.30]),
    PublishedConsistency(
      model: "SwitchTransformers", stack: .decoder, layerCount: 24, expertCount: 128,
      expertsPerToken: 1,
      performances: [0.4183, 0.1927, 0.1178, nil], relativeSize: 2.059,
      lru: [0.04, 0.11, 0.15], lfu: [0.06, 0.12, 0.16], segmentCache: [0.14, 0.24, 0.30],
      belady: [0.17, 0.26, 0.32]),
  ]
}
