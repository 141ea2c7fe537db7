import MoEAnalysis
import MoETestSupport
import Testing

/// How well selections alone tell the next layer's experts, on recorded routing of trained models.
/// The trace of Mixtral is left out: its layers are not of the same tokens to the token.
@Suite struct RecordedPredictionTests {
  private struct Recall {
    var affinity: Double
    var activationMatrix: Double
    var popularity: Double
  }

  /// The first of the trace's sequences, so many tokens of them that it takes no time.
  private static func routing(_ name: String) throws -> RoutingSequences {
    let file = try RoutingTraceFile(name)
    let tokenCount = min(file.tokenCount, 3000)
    let width = file.layerCount * file.expertsPerToken
    return try RoutingSequences(
      layerCount: file.layerCount, expertCount: file.expertCount,
      expertsPerToken: file.expertsPerToken,
      experts: Array(file.trace.experts.prefix(tokenCount * width)),
      sequenceStarts: file.trace.sequenceStarts.filter { $0 < tokenCount })
  }

  private func recall(_ name: String, layerDistance: Int = 1) throws -> Recall {
    let routing = try Self.routing(name)
    func recall(_ predictor: PredictionRecall.Predictor) throws -> Double {
      let found = try PredictionRecall(
        routing, predictor: predictor, training: .causal, layerDistance: layerDistance)
      return try #require(found.recall(routing.expertsPerToken))
    }
    let result = Recall(
      affinity: try recall(.affinity), activationMatrix: try recall(.activationMatrix),
      popularity: try recall(.popularity))
    let figures = [result.affinity, result.activationMatrix, result.popularity].map {
      String(Int(($0 * 1000).rounded()))
    }
    print(
      "\(name): of 1000 experts \(layerDistance) ahead, affinity names \(figures[0]), activation "
        + "matrices \(figures[1]), popularity \(figures[2])")
    return result
  }

  @Test(arguments: [
    "real/deepseek-v2-lite-chat-prompts", "real/gemma-4-26b-a4b-chat", "real/gpt-oss-20b-mmlu",
    "real/qwen3-30b-a3b-chat",
  ])
  func affinityTellsMoreThanPopularityInLargeModels(_ name: String) throws {
    let next = try recall(name)
    #expect(next.affinity > next.popularity + 0.05)
    #expect(try recall(name, layerDistance: 2).affinity < next.affinity)
  }

  @Test(arguments: ["c", "chat", "stories"])
  func affinityTellsMoreThanPopularityInASmallModel(_ name: String) throws {
    let next = try recall("nano-moe/" + name)
    #expect(next.affinity > next.popularity)
  }
}
