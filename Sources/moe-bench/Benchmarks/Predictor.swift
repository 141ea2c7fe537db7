internal import MoECache
internal import MoECore

/// What guessing from selections costs a decoded token: a run is one token through all layers of
/// the shape of Qwen3-30B-A3B.
enum PredictorBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    PredictorRegistry.all.compactMap { entry in
      guard case .predictor(_, let make) = entry.method else { return nil }
      return Benchmark(name: "predictor/\(entry.name)") {
        var run = Run(make, layerCount: context.size(48, toy: 4))
        // As many sequences as are kept at most, of every kind.
        for _ in 0..<context.size(64, toy: 20) * Run.sequenceTokenCount { run.decode() }
        return Benchmark.Prepared(
          memory: [], run: { run.decode() },
          isRight: { run.guessCount > 0 && run.rightCount == run.guessCount })
      }
    }
  }

  /// Texts of several kinds in turn, each with experts of its own, which every predictor learns.
  private struct Run {
    static let (sequenceTokenCount, kindCount) = (4, 8)
    private static let (expertCount, expertsPerToken) = (128, 8)

    private let layerCount: Int
    private var predictor: any ExpertPredictor
    private var prediction = ExpertPrediction(expertCount: expertCount)
    private var scores = [Float](repeating: 0, count: expertCount)
    private var selection = [Int32](repeating: 0, count: expertsPerToken)
    private var tokenCount = 0
    /// Of the last token.
    private(set) var guessCount = 0
    private(set) var rightCount = 0

    init(_ make: (PredictorShape) -> any ExpertPredictor, layerCount: Int) {
      self.layerCount = layerCount
      predictor = make(
        PredictorShape(
          layerCount: layerCount, expertCount: Self.expertCount,
          expertsPerToken: Self.expertsPerToken))
    }

    mutating func decode() {
      if tokenCount % Self.sequenceTokenCount == 0 {
        predictor.endSequence(SequenceID(rawValue: 0))
        predictor.beginSequence(SequenceID(rawValue: 0))
      }
      let kind = tokenCount / Self.sequenceTokenCount % Self.kindCount
      (guessCount, rightCount) = (0, 0)
      for layer in 0..<layerCount {
        for rank in selection.indices {
          selection[rank] = Int32((kind * Self.expertsPerToken + rank + layer) % Self.expertCount)
        }
        let taken = selection
        prediction.learn(layer: layer, taken.span)
        predictor.observe(layer: layer, experts: taken.span)
        guard layer + 1 < layerCount else { continue }
        predictor.score(layer: layer + 1, token: 0, into: &scores)
        prediction.begin(layer: layer + 1)
        prediction.add(scores, expertsPerToken: Self.expertsPerToken)
        for guess in prediction.sorted(isSingleToken: true) {
          let place = guess.expert - kind * Self.expertsPerToken - layer - 1
          guessCount += 1
          if (0..<Self.expertsPerToken).contains(place) { rightCount += 1 }
        }
      }
      tokenCount += 1
    }
  }
}
