#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import MoECore
package import MoEKernels

extension ArchitectureReader {
  /// The rotary embedding that a file's `rope.` keys describe, for every architecture.
  ///
  /// - Parameters:
  ///   - headDimension: Elements of a head: as many turn where the file does not say.
  ///   - suffix: Behind the keys of base and dimension where a file gives those of some layers
  ///     apart, such as `_swa`.
  ///   - truncatesCorrectionRange: What YaRN does in this architecture; files do not say.
  ///   - factors: What the architecture's files have.
  package func rotary(
    headDimension: Int, pairing: RotaryPairing, suffix: String = "",
    truncatesCorrectionRange: Bool = true, factors: RotaryFactors = .frequencies
  ) throws(ModelError) -> RotaryDescription {
    let dimensionKey = "rope.dimension_count\(suffix)"
    let dimension = try optionalInteger(dimensionKey, in: 2...headDimension) ?? headDimension
    try require(dimension % 2 == 0, dimensionKey, "\(dimension)", "an even number")
    let baseKey = "rope.freq_base\(suffix)"
    let base = try optionalNumber(baseKey) ?? 10000
    try require(base > 0, baseKey, "\(base)", "a number above 0")
    var description = RotaryDescription(
      base: base, dimension: dimension, pairing: pairing, factors: factors,
      attentionFactor: try positive("rope.scaling.attn_factor") ?? 1)

    // The older of the two keys has only linear scaling; 0 stands for none.
    let scalingFactors = [
      try scalingFactor("rope.scaling.factor"), try scalingFactor("rope.scale_linear"),
    ]
    let factor = scalingFactors.lazy.compactMap { $0 }.first { $0 != 0 } ?? 1
    let typeKey = "rope.scaling.type"
    let type = try optionalString(typeKey) ?? "linear"
    switch type {
    case "none": break
    case "linear": if factor != 1 { description.scaling = .linear(factor: factor) }
    case "yarn":
      // The range of pairs is taken from the base's logarithm.
      try require(base > 1, baseKey, "\(base)", "a number above 1 with YaRN")
      if factor != 1 {
        try scale(&description, factor: factor, truncates: truncatesCorrectionRange)
      }
    case "longrope" where factors.areByContext: break
    default:
      throw unsupported(
        typeKey, type.quotedForMessage, "none, linear, yarn, or longrope with its factors")
    }
    return description
  }

  /// Factors for short texts and for long ones, of a file that says where the long ones begin.
  func factorsByContext() throws(ModelError) -> RotaryFactors {
    let names = ["rope_factors_short.weight", "rope_factors_long.weight"]
    let missing = names.filter { !contains($0) }
    if missing.count == 1 { throw missingTensor(missing[0]) }
    let key = "rope.scaling.original_context_length"
    if !missing.isEmpty {
      let length = try optionalInteger(key, in: 1...1 << 30)
      return length.map { .byContext(originalLength: $0) } ?? .none
    }
    return .byContext(originalLength: try integer(key, in: 1...1 << 30))
  }

  /// YaRN, with the numbers of a file or those that the paper and the published models have.
  private func scale(
    _ description: inout RotaryDescription, factor: Double, truncates: Bool
  ) throws(ModelError) {
    let extrapolation = try optionalNumber("rope.scaling.yarn_ext_factor") ?? 1
    try require(
      extrapolation == 1, "rope.scaling.yarn_ext_factor", "\(extrapolation)", "1")
    let lengthKey = "rope.scaling.original_context_length"
    let original = try optionalInteger(lengthKey, in: 1...1 << 30)
    let length: Int
    if let original {
      length = original
    } else {
      length = try integer("context_length", in: 1...1 << 30)
    }
    let yarn = YaRNScaling(
      factor: factor, originalContextLength: length,
      betaFast: try positive("rope.scaling.yarn_beta_fast") ?? 32,
      betaSlow: try positive("rope.scaling.yarn_beta_slow") ?? 1,
      truncatesCorrectionRange: truncates)
    description.scaling = .yarn(yarn)
    let published = try positive("rope.scaling.yarn_attn_factor")
    let multiplier = try optionalNumber("rope.scaling.yarn_log_multiplier") ?? 0
    try require(
      multiplier >= 0, "rope.scaling.yarn_log_multiplier", "\(multiplier)", "at least 0")
    if multiplier > 0 && factor > 1 {
      // A tenth of `mscale_all_dim`. All models that publish one have the same `mscale`, so that
      // their quotient, the attention factor, is 1.
      let scale = multiplier * log(factor) + 1
      description.scoreFactor = scale * scale
    } else {
      description.attentionFactor *= published ?? yarn.attentionFactor
    }
  }

  /// A factor of positions, 0 for none.
  private func scalingFactor(_ key: String) throws(ModelError) -> Double? {
    guard let number = try optionalNumber(key) else { return nil }
    try require(number >= 0, key, "\(number)", "a number above 0")
    return number
  }

  private func positive(_ key: String) throws(ModelError) -> Double? {
    guard let number = try optionalNumber(key) else { return nil }
    try require(number > 0, key, "\(number)", "a number above 0")
    return number
  }
}
