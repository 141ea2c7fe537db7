/// Divides all logits: below 1 sharpens the distribution, above flattens it.
package struct Temperature: SamplerStage {
  let temperature: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.temperature > 0 && options.temperature != 1
      ? Temperature(temperature: min(options.temperature, .greatestFiniteMagnitude)) : nil
  }

  package func apply(to candidates: inout Candidates, history: [Int32]) {
    candidates.scale(by: temperature)
  }
}
