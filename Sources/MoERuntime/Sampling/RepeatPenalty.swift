/// Lowers the logits of tokens among the latest ones (CTRL, arXiv 1909.05858, section 4.1).
///
/// A token costs the same however long the text is: the counts of the tokens in the window are
/// kept, and a step counts those that came and those that fell out of it.
package struct RepeatPenalty: SamplerStage {
  let penalty: Float
  /// Of the window; negative: the whole text.
  let lastCount: Int
  /// How often each token is in the window; those that are not have no entry.
  private var counts: [Int32: Int] = [:]
  /// Tokens of the text that the counts are of.
  private var countedLength = 0

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    guard options.repeatPenalty != 1, options.repeatLastCount != 0 else { return nil }
    return RepeatPenalty(penalty: options.repeatPenalty, lastCount: options.repeatLastCount)
  }

  private init(penalty: Float, lastCount: Int) {
    self.penalty = penalty
    self.lastCount = lastCount
  }

  package mutating func apply(to candidates: inout Candidates, history: [Int32]) {
    count(history)
    for token in counts.keys {
      let index = Int(token)
      guard index < candidates.count, candidates.tokens[index] == token else { continue }
      let logit = candidates.logits[index]
      candidates.setLogit(logit > 0 ? logit / penalty : logit * penalty, at: index)
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
