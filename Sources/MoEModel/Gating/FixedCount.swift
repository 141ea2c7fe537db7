/// The best k' of the k experts that a token takes, in every layer.
struct FixedCount: Gating {
  let count: Int

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...1, usage: "top-k:K")
    let count = try parameters.integer(0, "K", in: 1 ... .max)
    return { shape throws(GatingError) in
      guard count <= shape.expertsPerToken else {
        throw GatingError(
          parameters.text,
          "a token takes \(shape.expertsPerToken) experts in this model; give at most as many")
      }
      return FixedCount(count: count)
    }
  }

  mutating func choose(_ choice: inout ExpertChoice) { choice.keep(first: count) }
}
