import MoECache
import Testing

@Suite struct AffinityPredictorTests {
  /// The counts as one would write them down: every token apart, rows halved in turn.
  private struct Naive {
    var pairs: [[Int]: Int] = [:]
    var uses: [[Int]: Int] = [:]
    var halvedCount = 0

    mutating func learn(layer: Int, _ here: ArraySlice<Int32>, _ there: ArraySlice<Int32>) {
      for first in here where first >= 0 {
        for second in there where second >= 0 {
          pairs[[layer, Int(first), Int(second)], default: 0] += 1
        }
        uses[[layer, Int(first)], default: 0] += 1
        guard uses[[layer, Int(first)]] == 512 else { continue }
        uses[[layer, Int(first)]] = 256
        halvedCount += 1
        for key in pairs.keys where key[0] == layer && key[1] == Int(first) {
          pairs[key] = (pairs[key] ?? 0) / 2
        }
      }
    }

    func score(layer: Int, _ here: ArraySlice<Int32>, expert: Int) -> Float {
      here.filter { $0 >= 0 }.reduce(0) { sum, first in
        guard let uses = uses[[layer, Int(first)]] else { return sum }
        return sum + 1 / Float(uses) * Float(pairs[[layer, Int(first), expert]] ?? 0)
      }
    }
  }

  @Test func probabilitiesAreAsPublished() {
    var predictor = AffinityPredictor(
      PredictorShape(layerCount: 2, expertCount: 4, expertsPerToken: 1))
    let paths: [[Int32]] = [
      [0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [2, 3], [2, 3], [3, 2], [3, 0], [2, 1],
    ]
    for path in paths { for layer in 0..<2 { predictor.observe(layer: layer, [path[layer]]) } }
    predictor.observe(layer: 0, [0])
    #expect(predictor.scores(layer: 1, expertCount: 4) == [0, 1, 0, 0])
    predictor.observe(layer: 0, [2])
    let third: Float = 1 / 3
    #expect(predictor.scores(layer: 1, expertCount: 4) == [0, third, 0, 2 * third])
    predictor.observe(layer: 0, [3])
    #expect(predictor.scores(layer: 1, expertCount: 4) == [0.5, 0, 0.5, 0])
  }

  @Test func scoresAreThoseOfTokensCountedOneByOne() {
    var comparedCount = 0
    for seed: UInt64 in 0..<20 {
      let distance = Int(seed % 3) + 1
      let shape = PredictorShape(
        layerCount: 4, expertCount: 5, expertsPerToken: 2, tokenCountMax: 6)
      var steps = PredictorSteps(seed: seed, shape)
      var predictor = AffinityPredictor(shape, distance: distance)
      var naive = Naive()
      for _ in 0..<400 {
        let tokenCount = steps.integer(1...6)
        var taken: [[Int32]] = []
        // Some steps are cancelled after a layer and begun again.
        for layer in 0...(steps.integer(0...4) == 0 ? steps.integer(0...3) : 3) {
          let here = steps.selection(tokenCount: tokenCount, favoured: layer..<layer + 2)
          taken.append(here)
          predictor.observe(layer: layer, here)
          for token in 0..<tokenCount {
            let places = token * 2..<token * 2 + 2
            if layer >= distance {
              naive.learn(layer: layer - distance, taken[layer - distance][places], here[places])
            }
          }
          guard layer + distance < 4 else { continue }
          let token = steps.integer(0...tokenCount - 1)
          let places = token * 2..<token * 2 + 2
          let found = predictor.scores(layer: layer + distance, token: token, expertCount: 5)
          let wanted = (0..<5).map { naive.score(layer: layer, here[places], expert: $0) }
          #expect(found == wanted, "seed \(seed), layer \(layer)")
          comparedCount += 1
        }
      }
      #expect(naive.halvedCount > 0, "seed \(seed): no row was halved")
    }
    #expect(comparedCount > 4000)
  }

  @Test func whatWasLongAgoCountsLess() {
    var predictor = AffinityPredictor(
      PredictorShape(layerCount: 2, expertCount: 3, expertsPerToken: 1))
    func run(_ next: Int32, _ count: Int) {
      for _ in 0..<count {
        predictor.observe(layer: 0, [0])
        predictor.observe(layer: 1, [next])
      }
    }
    run(1, 600)
    predictor.observe(layer: 0, [0])
    #expect(predictor.scores(layer: 1, expertCount: 3) == [0, 1, 0])
    run(2, 600)
    predictor.observe(layer: 0, [0])
    let scores = predictor.scores(layer: 1, expertCount: 3)
    #expect(scores[2] > 2 * scores[1] && scores[1] > 0, "\(scores)")
  }
}
