import MoECache
import Testing

/// What every registered predictor must do, whatever it makes of what it sees.
@Suite struct PredictorConformanceTests {
  private typealias Make = @Sendable (PredictorShape) -> any ExpertPredictor

  private static let names: [String] = PredictorRegistry.all.compactMap { entry in
    if case .predictor = entry.method { entry.name } else { nil }
  }

  private func make(_ name: String, _ shape: PredictorShape) throws -> any ExpertPredictor {
    let entry = try #require(PredictorRegistry.entry(named: name))
    guard case .predictor(let byteCount, let make) = entry.method else {
      throw NoPredictor(name: name)
    }
    #expect(byteCount(shape) > 0 && entry.byteCount(shape) == byteCount(shape))
    return make(shape)
  }

  private struct NoPredictor: Error { var name: String }

  @Test func namesAreUniqueAndTheDefaultIsOneOfThem() {
    let names = PredictorRegistry.all.map(\.name)
    #expect(Set(names).count == names.count && names.contains("off"))
    #expect(names.contains(PredictorRegistry.defaultEntry.name))
    #expect(PredictorRegistry.entry(named: "crystal ball") == nil)
    #expect(
      PredictorRegistry.off.byteCount(
        PredictorShape(
          layerCount: 9, expertCount: 9, expertsPerToken: 2)) == 0)
  }

  /// Sequences, chunks, cancelled steps, tokens that take fewer experts, steps of more tokens than
  /// there is room for: scores are finite and not negative, and the same for the same text.
  @Test(arguments: names)
  func scoresAreSoundAndRepeatThemselves(_ name: String) throws {
    for seed: UInt64 in 0..<12 {
      let shape = PredictorShape(
        layerCount: Int(seed % 4) + 1, expertCount: 3 + Int(seed), expertsPerToken: 2,
        tokenCountMax: 4)
      var histories: [[[Float]]] = []
      for _ in 0..<2 {
        var steps = PredictorSteps(seed: seed, shape)
        var predictor = try make(name, shape)
        var history: [[Float]] = []
        for layer in 0..<shape.layerCount {
          let scores = predictor.scores(layer: layer, expertCount: shape.expertCount)
          #expect(Set(scores).count == 1, "seed \(seed): nothing is known yet")
        }
        for _ in 0..<60 {
          if steps.integer(0...6) == 0 { predictor.beginSequence() }
          let tokenCount = steps.integer(1...7)
          for layer in 0...steps.integer(0...shape.layerCount - 1) {
            predictor.observe(
              layer: layer, steps.selection(tokenCount: tokenCount, favoured: 0..<2))
            guard layer + 1 < shape.layerCount else { continue }
            for token in 0..<tokenCount {
              let scores = predictor.scores(
                layer: layer + 1, token: token, expertCount: shape.expertCount)
              #expect(scores.allSatisfy { $0.isFinite && $0 >= 0 }, "seed \(seed)")
              history.append(scores)
            }
          }
        }
        histories.append(history)
      }
      #expect(histories[0] == histories[1], "seed \(seed)")
    }
  }

  /// Layers without experts are none to a predictor, and layers may have different numbers of
  /// experts: a layer's scores are those of the same layers in a row, each as wide as the widest.
  @Test(arguments: names)
  func denseAndNarrowLayersAreSkipped(_ name: String) throws {
    let wide = PredictorShape.Layer(expertCount: 8, expertsPerToken: 2)
    let narrow = PredictorShape.Layer(expertCount: 5, expertsPerToken: 2)
    let dense = PredictorShape.Layer(expertCount: 0, expertsPerToken: 0)
    var predictor = try make(name, PredictorShape(layers: [dense, wide, dense, narrow, wide]))
    var plain = try make(name, PredictorShape(layers: [wide, wide, wide]))
    var steps = PredictorSteps(seed: 3, PredictorShape(layers: [narrow]))
    for token in 0..<60 {
      if token % 20 == 0 {
        predictor.beginSequence()
        plain.beginSequence()
      }
      for (place, layer) in [1, 3, 4].enumerated() {
        let selection = steps.selection(tokenCount: 1, favoured: place..<place + 2)
        predictor.observe(layer: layer, selection)
        plain.observe(layer: place, selection)
        guard place < 2 else { continue }
        let next = [3, 4][place]
        #expect(
          predictor.scores(layer: next, expertCount: 8)
            == plain.scores(layer: place + 1, expertCount: 8), "token \(token)")
      }
    }
  }

  /// With learning off, what comes later is as if the text had not been.
  @Test(arguments: names)
  func whatIsNotLearntLeavesNoTrace(_ name: String) throws {
    let shape = PredictorShape(layerCount: 3, expertCount: 8, expertsPerToken: 2)
    for seed: UInt64 in 0..<10 {
      var steps = PredictorSteps(seed: seed, shape)
      var predictors = [try make(name, shape), try make(name, shape)]
      func run(_ which: Range<Int>, favoured: Range<Int>) -> [[[Float]]] {
        var found = [[[Float]]](repeating: [], count: 2)
        for index in which { predictors[index].beginSequence() }
        for _ in 0..<20 {
          for layer in 0..<3 {
            let here = steps.selection(tokenCount: 1, favoured: favoured)
            for index in which {
              predictors[index].observe(layer: layer, here)
              guard layer < 2 else { continue }
              found[index].append(predictors[index].scores(layer: layer + 1, expertCount: 8))
            }
          }
        }
        return found
      }
      _ = run(0..<2, favoured: 0..<3)
      // Both learn what they have seen at a sequence's end.
      for index in 0..<2 { predictors[index].beginSequence() }
      predictors[0].isLearning = false
      _ = run(0..<1, favoured: 5..<8)
      predictors[0].beginSequence()
      predictors[0].isLearning = true
      let found = run(0..<2, favoured: 2..<5)
      #expect(found[0] == found[1], "seed \(seed)")
      #expect(found[0].contains { Set($0).count > 1 }, "seed \(seed): nothing was learnt at all")
    }
  }
}
