/// Makes a gating for a model; throws where it does not suit it.
package typealias GatingFactory =
  @Sendable (GatingShape) throws(GatingError) -> any Gating

/// A kind of gating and how it is written.
package struct GatingEntry: Sendable {
  package let name: String
  /// With its parameters: `top-k:K`.
  package let usage: String
  package let summary: String
  package let parse: @Sendable (GatingParameters) throws(GatingError) -> GatingFactory
}

/// Every kind of gating. `off` is none of them: it is the model as it is.
package enum GatingRegistry {
  package static let off = "off"

  package static let all: [GatingEntry] = [
    GatingEntry(
      name: "top-k", usage: "top-k:K",
      summary: "Takes the best K experts in every layer.", parse: FixedCount.parse),
    GatingEntry(
      name: "schedule", usage: "schedule:B,H,E,P",
      summary: "Takes B experts in the first layer, H in layer P, E in the last.",
      parse: LayerSchedule.parse),
    GatingEntry(
      name: "top-p", usage: "top-p:P",
      summary: "Takes the best experts until their probabilities reach P.",
      parse: CumulativeProbability.parse),
    GatingEntry(
      name: "threshold", usage: "threshold:T",
      summary: "Takes experts at least T times as probable as the best.",
      parse: RelativeThreshold.parse),
    GatingEntry(
      name: "cache-prior", usage: "cache-prior:LAMBDA[,J]",
      summary: "Prefers experts that are in memory, but for the best J.",
      parse: CachePrior.parse),
    GatingEntry(
      name: "miss-skip", usage: "miss-skip:T",
      summary: "Skips absent experts once better ones carry T of the weight.",
      parse: MissSkipping.parse),
    GatingEntry(
      name: "miss-low", usage: "miss-low:H[,S]",
      summary: "Takes absent experts in fewer bits past H of the weight.",
      parse: MissLowering.parse),
    GatingEntry(
      name: "prototypes", usage: "prototypes:Z",
      summary: "Takes the best expert of each of Z groups, for models built so.",
      parse: Prototypes.parse),
  ]

  /// What a text such as `top-p:0.8` stands for; nil for `off`.
  package static func parse(_ text: String) throws(GatingError) -> GatingFactory? {
    if text == off { return nil }
    let parameters = GatingParameters(text)
    guard let entry = all.first(where: { $0.name == parameters.name }) else {
      let names = ([off] + all.map(\.usage)).joined(separator: ", ")
      throw GatingError(text, "give one of \(names)")
    }
    return try entry.parse(parameters)
  }
}
