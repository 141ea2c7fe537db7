/// The fewest best experts whose softmax probabilities, among all experts, reach p: few where the
/// router is sure, more where it is not ("Harder Tasks Need More Experts", arXiv 2403.07652,
/// section 3). Never more than the model takes, which is where this departs from the paper: its
/// models are trained for any number.
struct CumulativeProbability: Gating {
  let probability: Double

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...1, usage: "top-p:P")
    let probability = try parameters.number(0, "P", in: 0...1)
    return { _ throws(GatingError) in CumulativeProbability(probability: probability) }
  }

  mutating func choose(_ choice: inout ExpertChoice) {
    var sum = 0.0
    for rank in 0..<choice.count {
      sum += Double(choice.weight(rank))
      if sum >= probability { return choice.keep(first: rank + 1) }
    }
  }
}
