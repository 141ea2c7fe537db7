import Foundation
import MoEAnalysis
import MoECore
import MoERuntime
import MoETestSupport
import Testing

/// The trained model's routing against what an independent implementation recorded of it, in
/// float32 arithmetic on the same F16 weights.
@Suite struct RecordedRoutingTests {
  private static let domains = [
    "c", "chat", "docs", "english", "german", "maths", "python", "stories", "swift",
  ]

  @Test(TrainedModel.needed) func selectionsAreThoseOfTheReferenceButForTies() async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "a.moetrace").path
    var options = EngineOptions()
    options.kvCacheType = .f32
    options.contextLength = 512
    let engine = try await Engine(
      modelAt: TrainedModel.file("model-f16.gguf").path, options: options)
    var trace = RoutingTraceOptions(path: path)
    trace.includesLogits = true
    var (selectionCount, differenceCount, largestWeightDifference) = (0, 0, Float(0))
    for domain in Self.domains {
      let reference = try RoutingTraceFile("nano-moe/" + domain).trace
      let tokens = try #require(reference.tokenIDs)
      _ = try await engine.recordRouting(
        of: [RoutingText(label: domain, tokens: tokens)], sequenceTokenCount: 512, to: trace)
      let recorded = try RoutingTrace(contentsOf: path)
      #expect(recorded.tokenIDs == tokens && recorded.sequenceStarts == reference.sequenceStarts)
      let (logits, weights) = (try #require(recorded.logits), try #require(recorded.weights))
      let expected = try #require(reference.weights)
      for selection in 0..<recorded.tokenCount * recorded.layerCount {
        let places = selection * 4..<selection * 4 + 4
        selectionCount += 1
        guard recorded.experts[places] != reference.experts[places] else {
          for place in places {
            largestWeightDifference = max(
              largestWeightDifference, abs(weights[place] - expected[place]))
          }
          continue
        }
        differenceCount += 1
        let probabilities = softmax(logits[selection * 32..<selection * 32 + 32])
        for (mine, other) in zip(recorded.experts[places], reference.experts[places]) {
          let margin = abs(probabilities[Int(mine)] - probabilities[Int(other)])
          #expect(margin < 1e-3, "\(domain), selection \(selection)")
        }
      }
    }
    #expect(selectionCount == 9 * 4096 * 4)
    #expect(Double(differenceCount) <= 0.001 * Double(selectionCount), "\(differenceCount)")
    #expect(largestWeightDifference < 0.01, "\(largestWeightDifference)")
  }

  private func softmax(_ logits: ArraySlice<Float>) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let powers = logits.map { exp(Double($0) - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }
}
