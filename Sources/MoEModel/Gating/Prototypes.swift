/// The expert prototypes of M6-T (arXiv 2105.15082), "k top-1": the experts stand in Z equal groups
/// by their numbers, each group has a softmax of its own over its logits, and a token takes the
/// best expert of each. For models that were trained so; any other is another model under it.
struct Prototypes: Gating {
  let groupCount: Int

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...1, usage: "prototypes:Z")
    let groupCount = try parameters.integer(0, "Z", in: 1 ... .max)
    return { shape throws(GatingError) in
      guard groupCount <= shape.expertsPerToken, shape.expertCount % groupCount == 0 else {
        throw GatingError(
          parameters.text,
          "Z must divide the \(shape.expertCount) experts of a layer and be at most the "
            + "\(shape.expertsPerToken) that a token takes")
      }
      return Prototypes(groupCount: groupCount)
    }
  }

  mutating func choose(_ choice: inout ExpertChoice) { choice.chooseOfGroups(groupCount) }
}
