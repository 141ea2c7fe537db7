import MoEAnalysis
import Testing

@Suite struct AffinityTests {
  /// ExFlow's tokens: experts in two layers.
  static func paths() throws -> RoutingSequences {
    let paths: [[Int32]] = [
      [0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [2, 3], [2, 3], [3, 2], [3, 0], [2, 1],
    ]
    return try RoutingSequences(
      layerCount: 2, expertCount: 4, expertsPerToken: 1, experts: paths.flatMap { $0 })
  }

  @Test func probabilitiesAreAsPublished() throws {
    let affinity = try ExpertAffinity(try Self.paths())
    #expect(affinity.probability(layer: 0, from: 0, to: 1) == 1)
    #expect(affinity.probability(layer: 0, from: 2, to: 3) == 2.0 / 3)
    #expect(affinity.probability(layer: 0, from: 2, to: 1) == 1.0 / 3)
    #expect(affinity.count(layer: 0, from: 3, to: 2) == 1)
    #expect(affinity.pairTotal == 10)
  }

  @Test func rowsSumToTheExpertsOfTheLaterLayer() throws {
    for seed in 0..<10 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(layerCount: 4, expertsPerToken: 3))
      for distance in 1...3 {
        let affinity = try ExpertAffinity(routing, layerDistance: distance)
        #expect(affinity.layerPairCount == 4 - distance)
        for layer in 0..<affinity.layerPairCount {
          for expert in 0..<routing.expertCount {
            let row = (0..<routing.expertCount).compactMap {
              affinity.probability(layer: layer, from: expert, to: $0)
            }
            #expect(row.isEmpty || abs(row.reduce(0, +) - 3) < 1e-12, "seed \(seed)")
          }
        }
      }
    }
  }

  // MARK: Prediction

  /// The same by sorting all experts for each token, from the tokens before it or of the first
  /// half.
  private func naive(
    _ routing: RoutingSequences, _ predictor: PredictionRecall.Predictor,
    _ training: PredictionRecall.Training, distance: Int, count: Int
  ) -> Double? {
    let order = Array(routing.sequences.joined())
    let half = order.count / 2
    var (found, wanted) = (0, 0)
    for (index, token) in order.enumerated() where training == .causal || index >= half {
      let known = training == .causal ? order[..<index] : order[..<half]
      for layer in 0..<max(0, routing.layerCount - distance) {
        let here = routing.selection(token: token, layer: layer)
        let scores = (0..<Int32(routing.expertCount)).map { second in
          let users = known.filter {
            routing.selection(token: $0, layer: layer + distance).contains(second)
          }
          if predictor == .popularity { return Float(users.count) }
          return here.filter { $0 >= 0 }.reduce(Float(0)) { sum, first in
            let from = known.filter { routing.selection(token: $0, layer: layer).contains(first) }
            guard !from.isEmpty else { return sum }
            return sum + 1 / Float(from.count) * Float(Set(from).intersection(users).count)
          }
        }
        let best = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(count)
        for expert in routing.selection(token: token, layer: layer + distance) where expert >= 0 {
          wanted += 1
          if best.contains(Int(expert)) { found += 1 }
        }
      }
    }
    return wanted > 0 ? Double(found) / Double(wanted) : nil
  }

  @Test func recallAgreesWithSortingForEveryToken() throws {
    for seed in 0..<6 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(tokenCount: 30, layerCount: 3, isRagged: seed % 2 == 0))
      for predictor in [PredictionRecall.Predictor.affinity, .popularity] {
        for training in PredictionRecall.Training.allCases {
          for distance in [1, 2] {
            let recall = try PredictionRecall(
              routing, predictor: predictor, training: training, layerDistance: distance)
            for count in [0, 1, 2, 4, 7] {
              let wanted = naive(
                routing, predictor, training, distance: distance, count: count)
              #expect(
                recall.recall(count) == wanted,
                "seed \(seed), \(predictor), \(training), \(distance), \(count)")
            }
            #expect(recall.recall(99) == 1)
          }
        }
      }
    }
  }

  /// Layers that follow from each other are learned after one token of each kind, whatever the
  /// popularity.
  @Test func whatFollowsIsFound() throws {
    let routing = try RoutingSequences(
      layerCount: 2, expertCount: 6, expertsPerToken: 1,
      experts: (0..<120 as Range<Int32>).flatMap { (token) -> [Int32] in
        [token % 6, token % 6 * 5 % 6]
      })
    let affinity = try PredictionRecall(routing, predictor: .affinity, training: .splitHalves)
    #expect(affinity.recall(1) == 1 && affinity.recall(1, layer: 0) == 1)
    #expect(affinity.recall(1, layer: 1) == nil)
    let causal = try PredictionRecall(routing, predictor: .affinity, training: .causal)
    #expect(try #require(causal.recall(1)) >= 114.0 / 120)
    let popularity = try PredictionRecall(routing, predictor: .popularity, training: .splitHalves)
    #expect(try #require(popularity.recall(1)) < 0.2)
  }

  /// Texts of two kinds whose use of experts differs: once one of each was seen, the first layer
  /// tells which it is.
  @Test func kindsOfTextAreFoundByTheirMatrices() throws {
    let routing = try RoutingSequences(
      layerCount: 2, expertCount: 6, expertsPerToken: 2,
      experts: (0..<20).flatMap { sequence in
        (0..<5).flatMap { _ -> [Int32] in sequence % 2 == 0 ? [0, 1, 2, 3] : [4, 5, 0, 5] }
      }, sequenceStarts: Array(stride(from: 0, to: 100, by: 5)))
    let causal = try PredictionRecall(routing, predictor: .activationMatrix, training: .causal)
    // Wrong are the first token of all, which nothing precedes, and the first text of the other
    // kind, in which one of the two experts is named by chance of its number.
    #expect(try #require(causal.recall(2)) > 0.93)
    let halves = try PredictionRecall(routing, predictor: .activationMatrix, training: .splitHalves)
    #expect(halves.recall(2) == 1)
    let popularity = try PredictionRecall(routing, predictor: .popularity, training: .splitHalves)
    #expect(try #require(popularity.recall(2)) < 0.9)
  }

  @Test func tracesAtTheEdgeHaveSensibleValues() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      let affinity = try ExpertAffinity(routing)
      #expect(affinity.layerPairCount == routing.layerCount - 1, "\(name)")
      for predictor in PredictionRecall.Predictor.allCases {
        for training in PredictionRecall.Training.allCases {
          let recall = try PredictionRecall(routing, predictor: predictor, training: training)
          let found = recall.recall(routing.expertCount)
          #expect(found == nil || found == 1, "\(name)")
        }
      }
    }
  }
}
