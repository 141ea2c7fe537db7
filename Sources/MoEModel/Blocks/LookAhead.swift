import MoECore
import MoEExperts
import MoEKernels

extension Decoder {
  /// Guesses which experts a layer will take, and has them read ahead while the layer before it is
  /// computed.
  ///
  /// The guess is what the layer's own norm and router make of the residual stream as it is one
  /// layer earlier (arXiv 2312.17238, section 3.2): a block changes the stream little. A wrong
  /// guess costs a read and changes no result.
  func lookAhead(to layer: Int, hidden: FloatRows) {
    guard layer < description.layerCount, experts.canPrefetch(layer: layer) else { return }
    prediction.begin(layer: layer)
    for tile in scratch.layout.tiles(of: hidden.rowCount) {
      predict(layer: layer, hidden: hidden.rows(tile.lowerBound, count: tile.count))
    }
    experts.prefetch(
      layer: layer, guesses: prediction.sorted(isSingleToken: hidden.rowCount == 1))
  }

  private func predict(layer: Int, hidden: FloatRows) {
    let layout = scratch.layout
    let count = hidden.rowCount
    let normed = scratch.rows(layout.lookAheadNormed, count: count)
    let logits = scratch.rows(layout.routerLogits, count: count)
    let router = weights.layers[layer].router
    team.rmsNorm(
      hidden, weight: weights.layers[layer].feedForwardNorm, epsilon: description.normEpsilon,
      into: normed)
    products.removeAll()
    products.append(
      router, inForm(of: router, normed, regions: layout.lookAheadForms), into: logits)
    team.multiply(products, as: .lookAhead)
    for token in 0..<count {
      prediction.add(logits.row(token), expertsPerToken: description.router.expertsPerToken)
    }
  }

  /// Rows in the form that a matrix reads.
  private func inForm(
    of matrix: QuantizedMatrix, _ rows: FloatRows,
    regions: [ActivationForm: ScratchLayout.Region]
  ) -> ActivationRows {
    let form = matrix.format.activation
    if form == .f32 { return rows.asActivations }
    let result = scratch.activations(
      regions, form: form, count: rows.rowCount, columns: rows.columnCount)
    team.quantize(rows, into: result)
    return result
  }
}

/// Which experts a layer will probably take, collected over the tokens of a step, and how probably.
///
/// A guess is the surer the further its logit lies above the best one that was left out, in units
/// of the logits' spread. How sure it is at which distance is learnt from the guesses that were
/// made.
struct ExpertPrediction {
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

  init(expertCount: Int) {
    counts = Array(repeating: Self.priorCount, count: Self.binCount)
    rightCounts = Array(repeating: Self.priorCount / 2, count: Self.binCount)
    places = Array(repeating: -1, count: expertCount)
    guesses.reserveCapacity(expertCount)
    lessons.reserveCapacity(expertCount)
  }

  mutating func begin(layer: Int) {
    for guess in guesses { places[guess.expert] = -1 }
    guesses.removeAll(keepingCapacity: true)
    lessons.removeAll(keepingCapacity: true)
    self.layer = layer
  }

  /// Adds a token's best experts by its router logits, which are overwritten. (arXiv 2312.17238
  /// takes the best ones without asking how sure they are.)
  mutating func add(_ logits: FloatView, expertsPerToken: Int) {
    let isFirst = guesses.isEmpty
    let spread = Self.spread(of: logits)
    var chosen: [16 of (expert: Int, logit: Float)] = .init(repeating: (0, 0))
    let count = min(expertsPerToken, logits.count - 1, chosen.count)
    for rank in 0..<max(0, count) {
      let best = VectorMath.argmax(logits)
      chosen[rank] = (best, logits[best])
      logits[best] = -.infinity
    }
    let leftOut = logits[VectorMath.argmax(logits)]
    for rank in 0..<max(0, count) {
      let (expert, logit) = chosen[rank]
      let distance = Double(logit - leftOut) / spread * Self.binsPerSpread
      guard distance.isFinite, distance >= 0 else { return }
      let bin = Int(min(distance, Double(Self.binCount - 1)))
      if isFirst { lessons.append((expert, bin)) }
      note(ExpertGuess(expert: expert, probability: rightCounts[bin] / counts[bin]))
    }
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

  private static func spread(of logits: FloatView) -> Double {
    var (sum, squares) = (0.0, 0.0)
    for index in 0..<logits.count {
      sum += Double(logits[index])
      squares += Double(logits[index]) * Double(logits[index])
    }
    let mean = sum / Double(logits.count)
    return max(squares / Double(logits.count) - mean * mean, .leastNormalMagnitude).squareRoot()
  }

  /// The guess: a single token's surest first, those of many in the order in which a step takes
  /// them.
  mutating func sorted(isSingleToken: Bool) -> [ExpertGuess] {
    if isSingleToken {
      guesses.sort { ($1.probability, $0.expert) < ($0.probability, $1.expert) }
    } else {
      guesses.sort { $0.expert < $1.expert }
    }
    for (place, guess) in guesses.enumerated() { places[guess.expert] = place }
    return guesses
  }

  /// What a layer's router chose for the first token of the step, after all.
  mutating func learn(layer: Int, _ selection: Selection) {
    guard layer == self.layer else { return }
    for lesson in lessons {
      let isRight = (0..<selection.count(token: 0)).contains {
        selection.expert(token: 0, rank: $0) == lesson.expert
      }
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
