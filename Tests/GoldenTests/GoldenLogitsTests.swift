import Foundation
import MoECore
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// The decoder against Hugging Face transformers in float32, on the golden models.
///
/// A file of quantised weights is held to the reference twice: as it is, to a loose bound, since
/// its activations are rounded to 8 bits; and its weights widened to F32, to the bound of any F32
/// model.
@Suite struct GoldenLogitsTests {
  @Test(arguments: ArchitectureRegistry.all.map(\.name))
  func everyArchitectureHasAGolden(_ architecture: String) {
    #expect(GoldenModel.all.contains { $0.architecture == architecture && $0.isExact })
  }

  @Test(arguments: GoldenModel.all)
  func everyLogitIsTheReferences(_ model: GoldenModel) async throws {
    let exact = try ExactModel(model)
    let engine = try await Engine(modelAt: exact.path, options: GoldenModel.exactOptions)
    for sequence in model.sequences {
      let tokens = try model.tokens(sequence)
      let expected = try model.golden.floats("seq\(sequence).logits")
      let logits = try await model.run(tokens, on: engine).logits
      let difference = Difference(expected, logits)
      let divergence = Divergence(expected, logits, columnCount: expected.count / tokens.count)
      // Rounding adds up over the positions.
      let bound = model.bounds.logits * (tokens.count > 256 ? 3 : 1)
      #expect(difference.maximum <= bound, "sequence \(sequence)")
      #expect(divergence.maximum <= model.bounds.kl, "sequence \(sequence)")
    }
  }

  /// Where rounded activations turn no router's choice (the report says so of the reference's own
  /// 8-bit run), logits are near the exact ones.
  @Test(arguments: GoldenModel.all.filter { !$0.isExact && !$0.flipsExperts })
  func roundedActivationsStayNear(_ model: GoldenModel) async throws {
    for sequence in model.sequences {
      let tokens = try model.tokens(sequence)
      let expected = try model.golden.floats("seq\(sequence).logits")
      let logits = try await model.run(tokens, GoldenModel.exactOptions).logits
      let difference = Difference(expected, logits)
      let divergence = Divergence(expected, logits, columnCount: expected.count / tokens.count)
      #expect(difference.maximum <= 0.6, "sequence \(sequence)")
      #expect(difference.mean <= 0.08, "sequence \(sequence)")
      #expect(divergence.mean <= 0.005, "sequence \(sequence)")
    }
  }

  @Test(arguments: GoldenModel.all)
  func everyTokenTakesTheReferencesExperts(_ model: GoldenModel) async throws {
    let exact = try ExactModel(model)
    let paths = model.isExact || model.flipsExperts ? [exact.path] : [exact.path, model.modelPath]
    for path in paths {
      let engine = try await Engine(modelAt: path, options: GoldenModel.exactOptions)
      for sequence in model.sequences {
        let run = try await model.run(try model.tokens(sequence), on: engine)
        #expect(!run.choices.isEmpty)
        for (layer, choices) in run.choices {
          let experts = try model.golden.integers("seq\(sequence).router.\(layer).experts")
          #expect(choices.flatMap { $0.map { Int32($0.expert) } } == experts, "layer \(layer)")
          guard path == exact.path else { continue }
          let weights = try model.golden.floats("seq\(sequence).router.\(layer).weights")
          let logits = try model.golden.floats("seq\(sequence).router.\(layer).logits")
          let found = choices.flatMap { $0.map(\.weight) }
          let difference = Difference(logits, run.routerLogits[layer] ?? []).maximum
          #expect(
            Difference(weights, found).maximum <= model.bounds.routerWeights, "layer \(layer)")
          #expect(difference <= model.bounds.routerLogits, "layer \(layer)")
        }
      }
    }
  }

  @Test(arguments: GoldenModel.all.filter { $0.golden.entries["seq1.hidden.norm"] != nil })
  func everyHiddenStateIsTheReferences(_ model: GoldenModel) async throws {
    let exact = try ExactModel(model)
    let engine = try await Engine(modelAt: exact.path, options: GoldenModel.exactOptions)
    let run = try await model.run(try model.tokens(1), on: engine)
    func check(_ name: String, _ found: [Float]) throws {
      let expected = try model.golden.floats("seq1.hidden.\(name)")
      #expect(Difference(expected, found).maximum <= model.bounds.hidden, "\(name)")
    }
    try check("embed", run.embedded)
    try check("norm", run.normalized)
    #expect(!run.hidden.isEmpty)
    for (layer, hidden) in run.hidden { try check("\(layer)", hidden) }
  }

  @Test(arguments: GoldenModel.all.filter { $0.golden.entries["greedy.ids"] != nil })
  func greedyContinuationIsTheReferences(_ model: GoldenModel) async throws {
    let exact = try ExactModel(model)
    let expected = try model.golden.integers("greedy.ids")
    let engine = try await Engine(modelAt: exact.path, options: GoldenModel.exactOptions)
    var options = GenerationOptions()
    options.sampling = .greedy
    options.ignoresEnd = true
    options.tokenCountMax = expected.count
    var found: [Int32] = []
    for try await token in engine.generate(tokens: try model.tokens(1), options) {
      found.append(token.id)
    }
    #expect(found == expected)
  }
}
