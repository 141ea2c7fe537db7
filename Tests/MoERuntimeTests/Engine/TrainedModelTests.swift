import Foundation
import MoERuntime
import MoETestSupport
import MoETokenizer
import Testing

/// The trained model against what another implementation computed in float32.
@Suite(TrainedModel.needed) struct TrainedModelTests {
  private struct PerplexityGoldens: Decodable {
    struct Figures: Decodable {
      let all: Double
      let secondHalf: Double

      enum CodingKeys: String, CodingKey {
        case all
        case secondHalf = "second_half"
      }
    }
    struct Domain: Decodable {
      let tokens: Int
      let f16: Figures
      let q8_0: Figures
    }
    let window: Int
    let domains: [String: Domain]
  }

  private struct GenerationGoldens: Decodable {
    struct Item: Decodable {
      let prompt: String
      let promptIds: [Int32]
      let greedyIds: [Int32]
      let margins: [Double]

      enum CodingKeys: String, CodingKey {
        case prompt, margins
        case promptIds = "prompt_ids"
        case greedyIds = "greedy_ids"
      }
    }
    let items: [Item]
  }

  private func decode<Value: Decodable>(_ name: String) throws -> Value {
    let data = try Data(contentsOf: TrainedModel.file("golden_\(name).json"))
    return try JSONDecoder().decode(Value.self, from: data)
  }

  private func tokens(_ domain: String) throws -> [Int32] {
    let data = try Data(contentsOf: TrainedModel.file("golden_tokens/\(domain).u16"))
    return stride(from: 0, to: data.count, by: 2).map { Int32(data[$0]) | Int32(data[$0 + 1]) << 8 }
  }

  private func engine(_ type: String) async throws -> Engine {
    var options = EngineOptions()
    options.threadCount = 2
    options.kvCacheType = .f32
    options.logitRowCount = 64
    return try await Engine(
      modelAt: TrainedModel.file("model-\(type).gguf").path, options: options)
  }

  /// With F16 weights only the order of additions differs; with Q8_0 activations are rounded to
  /// eight bits too, which the reference does not do.
  @Test(arguments: [("f16", 0.0005), ("q8_0", 0.005)])
  func perplexityIsTheReferencesInEveryDomain(type: String, tolerance: Double) async throws {
    let goldens: PerplexityGoldens = try decode("perplexity")
    #expect(goldens.domains.count >= 9)
    let engine = try await engine(type)
    for (name, domain) in goldens.domains.sorted(by: { $0.key < $1.key }) {
      let figures = type == "f16" ? domain.f16 : domain.q8_0
      let tokens = try tokens(name)
      #expect(tokens.count == domain.tokens)
      var options = PerplexityOptions()
      options.windowTokenCount = goldens.window
      for (scoring, figure) in [
        (PerplexityOptions.Scoring.all, figures.all), (.secondHalf, figures.secondHalf),
      ] {
        options.scoring = scoring
        let found = try await engine.perplexity(of: tokens, options).perplexity
        #expect(abs(found / figure - 1) <= tolerance, "\(name), \(scoring): \(found / figure)")
      }
    }
  }

  /// Up to the first step at which the reference itself was nearly undecided.
  @Test(arguments: [("f16", 0.01), ("q8_0", 0.3)])
  func greedyTextIsTheReferencesWhereItsLeadIsClear(type: String, lead: Double) async throws {
    let goldens: GenerationGoldens = try decode("generation")
    #expect(!goldens.items.isEmpty)
    let engine = try await engine(type)
    for item in goldens.items {
      let ids = engine.tokenizer.encode(item.prompt, addSpecial: true, parseSpecial: true)
      #expect(ids == item.promptIds)
      let count = item.margins.firstIndex { $0 < lead } ?? item.margins.count
      let found = try await engine.generate([.markup(item.prompt)], .greedy(count)).collect()
      #expect(found.map(\.id) == Array(item.greedyIds.prefix(count)), "\(item.prompt)")
    }
  }
}
