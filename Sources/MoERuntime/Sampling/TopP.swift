/// Nucleus sampling (arXiv 1904.09751): the smallest set of most probable tokens whose
/// probabilities reach p; at least one.
package struct TopP: SamplerStage {
  let probability: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.topP < 1 ? TopP(probability: options.topP) : nil
  }

  package func apply(to candidates: inout Candidates, history: [Int32]) {
    candidates.keepLargest(candidates.count)
    let largest = candidates.logits[0]
    var total = 0.0
    for index in 0..<candidates.count { total += candidates.weight(at: index, largest: largest) }
    var sum = 0.0
    for index in 0..<candidates.count {
      sum += candidates.weight(at: index, largest: largest)
      if sum >= Double(probability) * total {
        candidates.truncate(to: index + 1)
        return
      }
    }
  }
}
