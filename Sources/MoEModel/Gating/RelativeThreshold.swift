/// Experts whose softmax probability is at least t times that of the token's best: for two experts
/// per token the dynamic skipping of "Not All Experts are Equal" (arXiv 2402.14800, section 3.3),
/// with one threshold for all layers.
struct RelativeThreshold: Gating {
  let threshold: Float

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...1, usage: "threshold:T")
    let threshold = try parameters.number(0, "T", in: 0...1)
    return { _ throws(GatingError) in RelativeThreshold(threshold: Float(threshold)) }
  }

  mutating func choose(_ choice: inout ExpertChoice) {
    let least = threshold * choice.weight(0)
    for rank in 1..<max(1, choice.count) where choice.weight(rank) < least {
      return choice.keep(first: rank)
    }
  }
}
