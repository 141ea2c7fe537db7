import MoECache
import MoECore
import Testing

@Suite struct ExpertPredictionTests {
  @Test func theBestByScoreAreGuessedTheFirstOfEqualsFirst() {
    for seed: UInt64 in 0..<200 {
      var random = SeededGenerator(seed: seed)
      let expertCount = Int.random(in: 1...40, using: &random)
      let expertsPerToken = Int.random(in: 1...20, using: &random)
      // Few different values, so that there are ties.
      let scores = (0..<expertCount).map { _ in Float(Int.random(in: 0...9, using: &random)) }
      var prediction = ExpertPrediction(expertCount: expertCount)
      prediction.begin(layer: 3)
      prediction.add(scores, expertsPerToken: expertsPerToken)
      let sorted = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
      let count = min(expertsPerToken, expertCount - 1, 16)
      let isEven = count < 1 || scores[sorted[0]] == scores[sorted[count]]
      let wanted = isEven ? [] : Array(sorted.prefix(count))
      let found = prediction.sorted(isSingleToken: true)
      #expect(found.map(\.expert).sorted() == wanted.sorted(), "seed \(seed)")
      #expect(found.allSatisfy { $0.probability == 0.5 }, "seed \(seed)")
    }
  }

  /// Two experts: one far above the rest that always comes, one just above that seldom does.
  @Test func howSureAGuessIsIsLearnt() {
    var prediction = ExpertPrediction(expertCount: 6)
    let scores: [Float] = [0, 9, 0.1, 0, 0, 0]
    for step in 0..<200 {
      prediction.begin(layer: 1)
      prediction.add(scores, expertsPerToken: 2)
      let selected: [Int32] = [1, step % 10 == 0 ? 2 : 4]
      prediction.learn(layer: 1, selected.span)
      // Of another layer: none of these guesses' business.
      prediction.learn(layer: 2, ([0, 0] as [Int32]).span)
    }
    prediction.begin(layer: 1)
    prediction.add(scores, expertsPerToken: 2)
    let guesses = prediction.sorted(isSingleToken: true)
    #expect(guesses.map(\.expert) == [1, 2])
    #expect(guesses[0].probability > 0.95 && guesses[1].probability < 0.2, "\(guesses)")
  }

  @Test func tokensOfAStepAreUnited() {
    var prediction = ExpertPrediction(expertCount: 5)
    prediction.begin(layer: 1)
    for scores: [Float] in [[0, 5, 0, 0, 3], [2, 0, 0, 0, 4], [7, 7, 7, 7, 7]] {
      prediction.add(scores, expertsPerToken: 2)
    }
    #expect(prediction.sorted(isSingleToken: false).map(\.expert) == [0, 1, 4])
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func whatIsNoNumberTrapsNothing(_ value: Float) {
    var prediction = ExpertPrediction(expertCount: 4)
    for place in 0..<4 {
      var scores: [Float] = [1, 2, 3, 4]
      scores[place] = value
      prediction.begin(layer: 0)
      prediction.add(scores, expertsPerToken: 2)
      prediction.learn(layer: 0, ([0, 1] as [Int32]).span)
      #expect(prediction.sorted(isSingleToken: true).count <= 2)
    }
    prediction.begin(layer: 0)
    prediction.add([value, value, value, value], expertsPerToken: 2)
    #expect(prediction.sorted(isSingleToken: true).isEmpty)
  }
}
