#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Divides all logits: below 1 sharpens the distribution, above flattens it. With a range it is
/// dynamic: between temperature - range and temperature + range by the distribution's entropy, as a
/// share of the largest possible, to an exponent.
package struct Temperature: SamplerStage {
  private let temperature: Float
  private let range: Float
  private let exponent: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    guard options.temperature > 0 else { return nil }
    let isDynamic = options.dynamicTemperatureRange > 0
    return isDynamic || options.temperature != 1 ? Temperature(options) : nil
  }

  private init(_ options: SamplingOptions) {
    temperature = min(options.temperature, .greatestFiniteMagnitude)
    range = options.dynamicTemperatureRange
    exponent = options.dynamicTemperatureExponent
  }

  /// Below this the distribution is that of the most probable token alone.
  private static let leastTemperature: Float = 1e-5

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    guard range > 0 else { return candidates.scale(by: temperature) }
    let (low, high) = (max(0, temperature - range), temperature + range)
    guard candidates.count > 1, candidates.largest.isFinite else { return }
    let probabilities = candidates.probabilities()
    let entropy = probabilities.reduce(0.0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
    let share = entropy / log(Double(candidates.count))
    let dynamic = low + (high - low) * Float(pow(share, Double(exponent)))
    candidates.scale(by: max(dynamic, Self.leastTemperature))
  }
}
