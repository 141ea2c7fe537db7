/// Adds a number to the logits of some tokens; minus infinity forbids one.
package struct LogitBias: SamplerStage {
  private let biases: [Int32: Float]

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.logitBiases.isEmpty ? nil : LogitBias(biases: options.logitBiases)
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    for (token, bias) in biases {
      guard let index = candidates.index(of: token) else { continue }
      candidates.setLogit(candidates.logits[index] + bias, at: index)
    }
  }
}
