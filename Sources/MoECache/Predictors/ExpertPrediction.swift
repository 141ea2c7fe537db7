/// Which experts a layer will probably take, collected over the tokens of a step, and how probably.
///
/// Guesses come from scores of any kind: router logits, probabilities, counts. A guess is the surer
/// the further its score lies above the best one that was left out, in units of the scores' spread.
/// How sure it is at which distance is learnt from the guesses that were made.
package struct ExpertPrediction: Sendable {
  private static let (binCount, binsPerSpread) = (24, 8.0)
  /// What a distance counts for before anything was learnt: as many guesses, half of them right.
  private static let priorCount = 4.0
  /// Old guesses lose weight when a bin has as many as this.
  private static let countMax = 1024.0

  /// (bin of distances): guesses made, and right ones among them.
  private var counts: [Double]
  private var rightCounts: [Double]
  /// (expert): its place in `guesses`, -1 where it is not guessed.
  private var places: [Int]
  private var guesses: [ExpertGuess] = []
  /// The first token's guesses, to learn from; the layer that they are for.
  private var lessons: [(expert: Int, bin: Int)] = []
  private var layer = -1

  package init(expertCount: Int) {
    counts = Array(repeating: Self.priorCount, count: Self.binCount)
    rightCounts = Array(repeating: Self.priorCount / 2, count: Self.binCount)
    places = Array(repeating: -1, count: expertCount)
    guesses.reserveCapacity(expertCount)
    lessons.reserveCapacity(expertCount)
  }

  package mutating func begin(layer: Int) {
    for guess in guesses { places[guess.expert] = -1 }
    guesses.removeAll(keepingCapacity: true)
    lessons.removeAll(keepingCapacity: true)
    self.layer = layer
  }

  /// Adds a token's best experts by its scores, (expert); even scores say nothing. (The paper of
  /// the router's guess, arXiv 2312.17238, takes the best ones without asking how sure they are.)
  package mutating func add(_ scores: [Float], expertsPerToken: Int) {
    let isFirst = guesses.isEmpty
    var best: [17 of (expert: Int, score: Float)] = .init(repeating: (0, 0))
    let count = Self.best(min(expertsPerToken, best.count - 1) + 1, of: scores, into: &best) - 1
    guard count > 0, best[0].score > best[count].score else { return }
    let spread = Self.spread(of: scores)
    for rank in 0..<count {
      let distance = Double(best[rank].score - best[count].score) / spread * Self.binsPerSpread
      guard distance.isFinite, distance >= 0 else { return }
      let bin = Int(min(distance, Double(Self.binCount - 1)))
      if isFirst { lessons.append((best[rank].expert, bin)) }
      note(ExpertGuess(expert: best[rank].expert, probability: rightCounts[bin] / counts[bin]))
    }
  }

  /// The best `wanted` of the scores in order, the first of equals first; returns how many there
  /// are.
  private static func best(
    _ wanted: Int, of scores: [Float], into best: inout [17 of (expert: Int, score: Float)]
  ) -> Int {
    var count = 0
    for expert in scores.indices {
      let score = scores[expert]
      guard count < wanted || score > best[count - 1].score else { continue }
      var place = count < wanted ? count : count - 1
      while place > 0 && score > best[place - 1].score {
        best[place] = best[place - 1]
        place -= 1
      }
      best[place] = (expert, score)
      count = min(count + 1, wanted)
    }
    return count
  }

  private mutating func note(_ guess: ExpertGuess) {
    let place = places[guess.expert]
    if place >= 0 {
      guesses[place].probability = max(guesses[place].probability, guess.probability)
    } else {
      places[guess.expert] = guesses.count
      guesses.append(guess)
    }
  }

  private static func spread(of scores: [Float]) -> Double {
    var (sum, squares) = (0.0, 0.0)
    for score in scores {
      sum += Double(score)
      squares += Double(score) * Double(score)
    }
    let mean = sum / Double(scores.count)
    return max(squares / Double(scores.count) - mean * mean, .leastNormalMagnitude).squareRoot()
  }

  /// The guess: a single token's surest first, those of many in the order in which a step takes
  /// them.
  package mutating func sorted(isSingleToken: Bool) -> [ExpertGuess] {
    if isSingleToken {
      guesses.sort { ($1.probability, $0.expert) < ($0.probability, $1.expert) }
    } else {
      guesses.sort { $0.expert < $1.expert }
    }
    for (place, guess) in guesses.enumerated() { places[guess.expert] = place }
    return guesses
  }

  /// What a layer's router chose for the first token of the step, after all: its experts.
  package mutating func learn(layer: Int, _ experts: Span<Int32>) {
    guard layer == self.layer else { return }
    for lesson in lessons {
      var isRight = false
      for index in 0..<experts.count where Int(experts[index]) == lesson.expert { isRight = true }
      counts[lesson.bin] += 1
      rightCounts[lesson.bin] += isRight ? 1 : 0
      if counts[lesson.bin] >= Self.countMax {
        counts[lesson.bin] /= 2
        rightCounts[lesson.bin] /= 2
      }
    }
    lessons.removeAll(keepingCapacity: true)
  }
}
