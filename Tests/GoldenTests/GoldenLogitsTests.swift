import Foundation
import MoECore
import MoEModel
import MoERuntime
import MoETestSupport
import Testing

/// The decoder against Hugging Face transformers in float32, on the golden models.
@Suite struct GoldenLogitsTests {
  @Test func theGoldenFolderHoldsModelsOfEveryArchitecture() throws {
    _ = try Goldens.require("models")
    let architectures = try Set(
      GoldenModel.all.map { try Engine.plan(modelAt: $0.modelPath).architecture })
    #expect(architectures.isSuperset(of: ["olmoe", "qwen3moe"]))
  }

  @Test(arguments: GoldenModel.all)
  func everyLogitIsTheReferences(_ model: GoldenModel) async throws {
    for sequence in model.sequences {
      let tokens = try model.tokens(sequence)
      let expected = try model.golden.floats("seq\(sequence).logits")
      let logits = try await model.run(tokens, GoldenModel.exactOptions).logits
      let difference = Difference(expected, logits)
      let divergence = Divergence(expected, logits, columnCount: expected.count / tokens.count)
      if model.isExact {
        #expect(difference.maximum <= (tokens.count > 256 ? 3e-4 : 1e-4), "sequence \(sequence)")
        #expect(divergence.maximum <= 1e-7, "sequence \(sequence)")
      } else {
        #expect(difference.maximum <= 0.6, "sequence \(sequence)")
        #expect(difference.mean <= 0.08, "sequence \(sequence)")
        #expect(divergence.mean <= 0.005, "sequence \(sequence)")
      }
    }
  }

  @Test(arguments: GoldenModel.all)
  func everyTokenTakesTheReferencesExperts(_ model: GoldenModel) async throws {
    for sequence in model.sequences {
      let run = try await model.run(try model.tokens(sequence), GoldenModel.exactOptions)
      #expect(!run.choices.isEmpty)
      for (layer, choices) in run.choices {
        let experts = try model.golden.integers("seq\(sequence).router.\(layer).experts")
        #expect(choices.flatMap { $0.map { Int32($0.expert) } } == experts, "layer \(layer)")
        guard model.isExact else { continue }
        let weights = try model.golden.floats("seq\(sequence).router.\(layer).weights")
        let logits = try model.golden.floats("seq\(sequence).router.\(layer).logits")
        let found = choices.flatMap { $0.map(\.weight) }
        #expect(Difference(weights, found).maximum <= 1e-5, "layer \(layer)")
        #expect(
          Difference(logits, run.routerLogits[layer] ?? []).maximum <= 5e-5, "layer \(layer)")
      }
    }
  }

  @Test(arguments: GoldenModel.all.filter(\.isExact))
  func everyHiddenStateIsTheReferences(_ model: GoldenModel) async throws {
    let run = try await model.run(try model.tokens(1), GoldenModel.exactOptions)
    func check(_ name: String, _ found: [Float]) throws {
      let expected = try model.golden.floats("seq1.hidden.\(name)")
      #expect(Difference(expected, found).maximum <= 5e-5, "\(name)")
    }
    try check("embed", run.embedded)
    try check("norm", run.normalized)
    #expect(!run.hidden.isEmpty)
    for (layer, hidden) in run.hidden { try check("\(layer)", hidden) }
  }

  @Test(arguments: GoldenModel.all.filter(\.isExact))
  func greedyContinuationIsTheReferences(_ model: GoldenModel) async throws {
    let expected = try model.golden.integers("greedy.ids")
    let engine = try await Engine(modelAt: model.modelPath, options: GoldenModel.exactOptions)
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
