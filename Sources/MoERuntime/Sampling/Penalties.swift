/// Lowers the logits of tokens among the latest ones: by a factor once each (CTRL, arXiv
/// 1909.05858, section 4.1), by an amount once each (presence), and by another for each time
/// (frequency).
///
/// A token costs the same however long the text is: the counts of the tokens in the window are
/// kept, and a step counts those that came and those that fell out of it.
package struct Penalties: SamplerStage {
  private let factor: Float
  private let presence: Float
  private let frequency: Float
  /// Of the window; negative: the whole text.
  private let lastCount: Int
  /// How often each token is in the window; those that are not have no entry.
  private var counts: [Int32: Int] = [:]
  /// Tokens of the text that the counts are of.
  private var countedLength = 0

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    let isOff =
      options.repeatPenalty == 1 && options.presencePenalty == 0 && options.frequencyPenalty == 0
    return isOff || options.repeatLastCount == 0 ? nil : Penalties(options)
  }

  private init(_ options: SamplingOptions) {
    factor = options.repeatPenalty
    presence = options.presencePenalty
    frequency = options.frequencyPenalty
    lastCount = options.repeatLastCount
  }

  package mutating func apply(to candidates: inout Candidates, step: SamplerStep) {
    count(step.history)
    for (token, count) in counts {
      guard let index = candidates.index(of: token) else { continue }
      let logit = candidates.logits[index]
      let scaled = logit > 0 ? logit / factor : logit * factor
      candidates.setLogit(scaled - presence - Float(count) * frequency, at: index)
    }
  }

  private mutating func count(_ history: [Int32]) {
    precondition(history.count >= countedLength, "a text only grows")
    for position in countedLength..<history.count {
      counts[history[position], default: 0] += 1
      guard lastCount >= 0, position >= lastCount else { continue }
      let gone = history[position - lastCount]
      let rest = (counts[gone] ?? 1) - 1
      counts[gone] = rest > 0 ? rest : nil
    }
    countedLength = history.count
  }
}
