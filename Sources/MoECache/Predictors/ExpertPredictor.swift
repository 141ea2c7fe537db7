package import MoECore

/// What a predictor is made for.
package struct PredictorShape: Sendable, Equatable {
  /// A layer of the model, numbered as its block.
  package struct Layer: Sendable, Equatable {
    /// Routed experts; 0 for a dense layer, which is neither observed nor predicted.
    package var expertCount: Int
    /// The most experts that a token takes.
    package var expertsPerToken: Int

    package init(expertCount: Int, expertsPerToken: Int) {
      precondition(expertCount >= 0 && (expertsPerToken > 0 || expertCount == 0))
      self.expertCount = expertCount
      self.expertsPerToken = expertsPerToken
    }
  }

  package let layers: [Layer]
  /// Tokens that a step may have; of further ones nothing is learnt or guessed.
  package let tokenCountMax: Int
  /// Sequences that there are at a time at most.
  package let sequenceCountMax: Int
  /// Layers with experts, ascending.
  let expertLayers: [Int]
  /// (layer): the first of its experts among those of all layers, and one more entry for the end.
  let firstCells: [Int]

  package init(layers: [Layer], tokenCountMax: Int = 1, sequenceCountMax: Int = 1) {
    precondition(min(tokenCountMax, sequenceCountMax) > 0)
    self.layers = layers
    self.tokenCountMax = tokenCountMax
    self.sequenceCountMax = sequenceCountMax
    expertLayers = layers.indices.filter { layers[$0].expertCount > 0 }
    firstCells = layers.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.expertCount) }
  }

  /// Layers that are all alike.
  package init(
    layerCount: Int, expertCount: Int, expertsPerToken: Int, tokenCountMax: Int = 1,
    sequenceCountMax: Int = 1
  ) {
    precondition(min(layerCount, expertCount, expertsPerToken) > 0)
    let layer = Layer(expertCount: expertCount, expertsPerToken: expertsPerToken)
    self.init(
      layers: Array(repeating: layer, count: layerCount), tokenCountMax: tokenCountMax,
      sequenceCountMax: sequenceCountMax)
  }

  package var layerCount: Int { layers.count }
  /// Of the layer with the most.
  package var expertCount: Int { layers.map(\.expertCount).max() ?? 0 }
  package var expertsPerToken: Int { layers.map(\.expertsPerToken).max() ?? 0 }
  /// Experts of all layers.
  var cellCount: Int { firstCells[layers.count] }
}

/// Says how strongly the experts that were taken so far speak for those of a later layer.
///
/// Pure bookkeeping on selections: the engine and the analysis of traces run this same code, so
/// that recall on a trace is the engine's. All memory is taken when a predictor is made. What it
/// says decides only what is read ahead, never a result, so old and even false observations do no
/// harm. `PredictorConformanceTests` holds every registered predictor to this.
package protocol ExpertPredictor: Sendable {
  /// Whether what is observed is learnt for other tokens too; without, a token's own experts still
  /// serve to predict its later layers.
  var isLearning: Bool { get set }

  /// A text begins under a name, below `PredictorShape.sequenceCountMax`.
  mutating func beginSequence(_ sequence: SequenceID)

  /// The text under a name is over.
  mutating func endSequence(_ sequence: SequenceID)

  /// A step begins, with rows of some sequences. Steps before the first one that is begun so have
  /// rows of the first sequence alone.
  mutating func beginStep(_ runs: Span<SequenceRun>)

  /// The tokens of a step took these experts of a layer. A step goes through the layers in order
  /// and is begun again from the first one where it was cancelled.
  ///
  /// - Parameter experts: (token, rank), -1 where a token takes fewer.
  mutating func observe(layer: Int, experts: Span<Int32>)

  /// Replaces the scores, (expert), by those of `layer` for a token of the step; larger speaks for
  /// an expert. Even ones where nothing is known.
  ///
  /// - Parameter layer: One that was not observed for the step yet.
  func score(layer: Int, token: Int, into scores: inout [Float])
}

extension ExpertPredictor {
  package mutating func beginSequence(_ sequence: SequenceID) {}

  package mutating func endSequence(_ sequence: SequenceID) {}

  package mutating func beginStep(_ runs: Span<SequenceRun>) {}
}
