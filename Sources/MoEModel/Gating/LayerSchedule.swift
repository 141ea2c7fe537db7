/// A number of experts for each layer: b in the first, h in layer p (counted from 0), e in the
/// last, and between them what lies on the straight lines, rounded (halves to the even number).
/// The shapes are ascending, descending, peak and valley ("Faster MoE LLM Inference for Extremely
/// Large Models", arXiv 2505.03531). No expert's probability decides.
package struct LayerSchedule: Gating {
  /// (layer)
  package let counts: [Int]

  /// - Parameters:
  ///   - turn: p, between the first and the last layer.
  ///   - layerCount: At least 3.
  package init(first: Int, middle: Int, last: Int, turn: Int, layerCount: Int) {
    precondition(turn > 0 && turn < layerCount - 1)
    counts = (0..<layerCount).map { layer in
      layer <= turn
        ? Self.rounded(first * turn + (middle - first) * layer, over: turn)
        : Self.rounded(
          middle * (layerCount - 1 - turn) + (last - middle) * (layer - turn),
          over: layerCount - 1 - turn)
    }
  }

  /// The whole number nearest to a fraction, the even one of two. Counted in integers, so that no
  /// rounding of the division decides a half.
  private static func rounded(_ numerator: Int, over denominator: Int) -> Int {
    let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
    if 2 * remainder == denominator { return quotient + (quotient & 1) }
    return 2 * remainder > denominator ? quotient + 1 : quotient
  }

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 4...4, usage: "schedule:B,H,E,P")
    var counts: [Int] = []
    for (index, what) in ["B", "H", "E"].enumerated() {
      counts.append(try parameters.integer(index, what, in: 1...1 << 16))
    }
    let turn = try parameters.integer(3, "P", in: 1...1 << 16)
    return { [counts] shape throws(GatingError) in
      guard counts.allSatisfy({ $0 <= shape.expertsPerToken }) else {
        throw GatingError(
          parameters.text,
          "a token takes \(shape.expertsPerToken) experts in this model; give at most as many "
            + "for B, H and E")
      }
      guard turn < shape.layerCount - 1 else {
        throw GatingError(
          parameters.text,
          "P must lie between the first and the last of the model's layers, 0 and "
            + "\(shape.layerCount - 1)")
      }
      return LayerSchedule(
        first: counts[0], middle: counts[1], last: counts[2], turn: turn,
        layerCount: shape.layerCount)
    }
  }

  package mutating func choose(_ choice: inout ExpertChoice) {
    choice.keep(first: counts[choice.layer])
  }
}
