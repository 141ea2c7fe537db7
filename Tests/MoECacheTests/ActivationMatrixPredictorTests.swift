import MoECache
import MoECore
import Testing

@Suite struct ActivationMatrixPredictorTests {
  /// (layer, expert)
  private typealias Matrix = [[Double]]

  /// All cosines anew from the matrices as they are.
  private struct Naive {
    var past: [Matrix] = []
    var current: Matrix
    let limit = 32

    init(_ shape: PredictorShape) {
      current = Matrix(
        repeating: [Double](repeating: 0, count: shape.expertCount), count: shape.layerCount)
    }

    func similarity(_ matrix: Matrix) -> Double {
      zip(current, matrix).reduce(0) { sum, rows in
        let product = zip(rows.0, rows.1).reduce(0) { $0 + $1.0 * $1.1 }
        let squares = [rows.0, rows.1].map { $0.reduce(0) { $0 + $1 * $1 } }
        return squares.contains(0) ? sum : sum + product / (squares[0] * squares[1]).squareRoot()
      }
    }

    /// The nearest, and how much nearer it is than the next.
    var nearest: (index: Int, margin: Double) {
      let sorted = past.indices.map { ($0, similarity(past[$0])) }.sorted { $0.1 > $1.1 }
      return (sorted[0].0, sorted.count > 1 ? sorted[0].1 - sorted[1].1 : 1)
    }

    /// Nil where it is a close call whom it is nearest to.
    func scores(layer: Int) -> [Double]? {
      func unit(_ row: [Double]) -> [Double] {
        let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { length > 0 ? $0 / length : 0 }
      }
      let own = unit(current[layer])
      if past.isEmpty { return own }
      let (index, margin) = nearest
      return margin > 1e-6 ? zip(own, unit(past[index][layer])).map { $0 + $1 } : nil
    }

    /// False where it is a close call whom the new one replaces.
    mutating func beginSequence() -> Bool {
      defer { for layer in current.indices { current[layer] = current[layer].map { _ in 0 } } }
      guard current.joined().contains(where: { $0 > 0 }) else { return true }
      if past.count < limit {
        past.append(current)
        return true
      }
      let (index, margin) = nearest
      past[index] = current
      return margin > 1e-6
    }
  }

  @Test func scoresAreTheRowsOfTheNearestMatrixAndTheSequence() {
    var comparedCount = 0
    for seed: UInt64 in 0..<6 {
      let shape = PredictorShape(
        layerCount: 3, expertCount: 12, expertsPerToken: 2, tokenCountMax: 5)
      var steps = PredictorSteps(seed: seed, shape)
      var predictor = ActivationMatrixPredictor(shape)
      var naive = Naive(shape)
      for _ in 0..<50 {
        predictor.beginSequence()
        guard naive.beginSequence() else { break }
        let kind = steps.integer(0...7)
        for _ in 0..<steps.integer(0...4) {
          let tokenCount = steps.integer(1...5)
          for layer in 0..<3 {
            let here = steps.selection(tokenCount: tokenCount, favoured: kind..<kind + 3)
            predictor.observe(layer: layer, here)
            for expert in here where expert >= 0 { naive.current[layer][Int(expert)] += 1 }
            guard layer < 2 else { continue }
            let found = predictor.scores(layer: layer + 1, expertCount: 12).map(Double.init)
            guard let wanted = naive.scores(layer: layer + 1) else { continue }
            let isEqual = zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-5 }
            #expect(isEqual, "seed \(seed): \(found), not \(wanted)")
            comparedCount += 1
          }
        }
      }
      #expect(naive.past.count == 32, "seed \(seed): none was replaced")
    }
    #expect(comparedCount > 600)
  }

  /// Steps have rows of two texts, which end at different times and are kept as they end.
  @Test func scoresOfTextsSideBySideAreThoseOfEach() {
    var comparedCount = 0
    for seed: UInt64 in 0..<6 {
      let shape = PredictorShape(
        layerCount: 3, expertCount: 12, expertsPerToken: 2, tokenCountMax: 5, sequenceCountMax: 2)
      var steps = PredictorSteps(seed: seed, shape)
      var predictor = ActivationMatrixPredictor(shape)
      var texts = [Naive(shape), Naive(shape)]
      var past: [Matrix] = []
      var kinds = [0, 1]
      for _ in 0..<150 {
        if steps.integer(0...3) == 0 {
          let ended = steps.integer(0...1)
          texts[ended].past = past
          guard texts[ended].beginSequence() else { break }
          past = texts[ended].past
          kinds[ended] = steps.integer(0...7)
          predictor.endSequence(SequenceID(rawValue: ended))
          predictor.beginSequence(SequenceID(rawValue: ended))
        }
        let rowCounts = [steps.integer(1...2), steps.integer(1...3)]
        let runs = (0..<2).map {
          SequenceRun(SequenceID(rawValue: $0), rowCount: rowCounts[$0])
        }
        predictor.beginStep(runs.span)
        for layer in 0..<3 {
          let taken = (0..<2).map { text in
            let favoured = kinds[text]..<kinds[text] + 3
            return steps.selection(tokenCount: rowCounts[text], favoured: favoured)
          }
          predictor.observe(layer: layer, taken[0] + taken[1])
          for text in 0..<2 {
            for expert in taken[text] where expert >= 0 {
              texts[text].current[layer][Int(expert)] += 1
            }
            texts[text].past = past
            guard layer < 2, let wanted = texts[text].scores(layer: layer + 1) else { continue }
            let found = predictor.scores(
              layer: layer + 1, token: text * rowCounts[0], expertCount: 12
            ).map(Double.init)
            let isEqual = zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-5 }
            #expect(isEqual, "seed \(seed): \(found), not \(wanted)")
            comparedCount += 1
          }
        }
      }
    }
    #expect(comparedCount > 1000)
  }

  @Test func aTextOfAKnownKindIsRecognisedByItsFirstLayer() {
    let shape = PredictorShape(layerCount: 2, expertCount: 4, expertsPerToken: 1)
    var predictor = ActivationMatrixPredictor(shape)
    for kind: Int32 in 0..<2 {
      predictor.beginSequence()
      for _ in 0..<3 {
        predictor.observe(layer: 0, [kind])
        predictor.observe(layer: 1, [3 - kind])
      }
    }
    for kind: Int32 in [1, 0] {
      predictor.beginSequence()
      predictor.observe(layer: 0, [kind])
      var wanted: [Float] = [0, 0, 0, 0]
      wanted[Int(3 - kind)] = 1
      #expect(predictor.scores(layer: 1, expertCount: 4) == wanted)
    }
  }
}
