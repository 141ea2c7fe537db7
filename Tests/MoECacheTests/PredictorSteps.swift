import MoECache
import MoECore

/// Steps of some tokens through the layers, drawn by seed, as predictors are shown them.
struct PredictorSteps {
  let shape: PredictorShape
  private var random: SeededGenerator

  init(seed: UInt64, _ shape: PredictorShape) {
    self.shape = shape
    random = SeededGenerator(seed: seed)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

  /// (token, rank): different experts, of which a few are left out; the favoured are taken more
  /// often than others.
  mutating func selection(tokenCount: Int, favoured: Range<Int>, isRagged: Bool = true) -> [Int32] {
    (0..<tokenCount).flatMap { _ -> [Int32] in
      var chosen: [Int32] = []
      while chosen.count < shape.expertsPerToken {
        let expert =
          integer(0...2) > 0
          ? Int.random(in: favoured, using: &random) : integer(0...shape.expertCount - 1)
        if !chosen.contains(Int32(expert)) { chosen.append(Int32(expert)) }
      }
      if isRagged && integer(0...5) == 0 { chosen[integer(0...chosen.count - 1)] = -1 }
      return chosen
    }
  }
}

extension ExpertPredictor {
  /// The text before is over, and another begins under its name.
  mutating func beginSequence() {
    endSequence(SequenceID(rawValue: 0))
    beginSequence(SequenceID(rawValue: 0))
  }

  /// The scores of a layer for one token of the step.
  func scores(layer: Int, token: Int = 0, expertCount: Int) -> [Float] {
    var scores = [Float](repeating: .nan, count: expertCount)
    score(layer: layer, token: token, into: &scores)
    return scores
  }

  mutating func observe(layer: Int, _ experts: [Int32]) {
    observe(layer: layer, experts: experts.span)
  }
}
