/// What a predictor is made for.
package struct LookAheadShape: Sendable, Equatable {
  package let layerCount: Int
  /// Routed experts of each layer.
  package let expertCount: Int
  /// The most experts that a token takes in a layer.
  package let expertsPerToken: Int
  /// Tokens that a step may have; of further ones nothing is learnt or guessed.
  package let tokenCountMax: Int

  package init(layerCount: Int, expertCount: Int, expertsPerToken: Int, tokenCountMax: Int = 1) {
    precondition(min(layerCount, expertCount, expertsPerToken, tokenCountMax) > 0)
    self.layerCount = layerCount
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.tokenCountMax = tokenCountMax
  }
}

/// Says how strongly the experts that were taken so far speak for those of a later layer.
///
/// Pure bookkeeping on selections: the engine and the analysis of traces run this same code, so
/// that recall on a trace is the engine's. All memory is taken when a predictor is made. What it
/// says decides only what is read ahead, never a result, so old and even false observations do no
/// harm. `LookAheadConformanceTests` holds every registered predictor to this.
package protocol LookAheadPredictor: Sendable {
  /// Whether what is observed is learnt for other tokens too; without, a token's own experts still
  /// serve to predict its later layers.
  var isLearning: Bool { get set }

  /// What follows has nothing to do with the text before.
  mutating func beginSequence()

  /// The tokens of a step took these experts of a layer. A step goes through the layers in order
  /// and is begun again from layer 0 where it was cancelled.
  ///
  /// - Parameter experts: (token, rank), -1 where a token takes fewer.
  mutating func observe(layer: Int, experts: Span<Int32>)

  /// Replaces the scores, (expert), by those of `layer` for a token of the step; larger speaks for
  /// an expert. Even ones where nothing is known.
  ///
  /// - Parameter layer: One that was not observed for the step yet.
  func score(layer: Int, token: Int, into scores: inout [Float])
}
