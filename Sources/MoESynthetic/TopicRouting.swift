import MoECore
private import Foundation

/// Embeddings and an output matrix that make a random model route tokens to experts as trained ones
/// do: a token's experts are partly those of the token before.
///
/// Tokens belong to topics. An embedding is a sum of what all tokens share, what a topic's tokens
/// share, and noise; router logits are then alike as far as embeddings are. The output matrix
/// prefers the topic of the token at hand, so a sampled text stays in a topic for a while.
struct TopicRouting: Sendable {
  /// Shares are of an embedding's energy; what is left is noise.
  struct Shares: Sendable {
    /// What all tokens share: some experts are popular.
    var common: Float
    /// What the tokens of a topic share.
    var topic: Float
    var noise: Float { 1 - common - topic }
  }

  private static let noiseCountMin = 1 << 20
  /// Standard deviation of the logits inside a topic.
  private static let logitDeviation: Float = 2.5
  /// How far below others tokens lie that are no text.
  private static let depth: Float = 20

  let shares: Shares
  let topicCount: Int
  let width: Int
  /// Probability that the next token is of the same topic.
  let stay: Float
  /// How much larger the stream is at its end than an embedding.
  let growth: Float
  /// Whether one matrix is both: then half of the dimensions tell topics and the output is made of
  /// these alone, else each token would be followed by itself.
  let isTied: Bool
  private let seed: UInt64
  private let common: [Float]
  private let topics: [[Float]]
  private let noise: [Float]

  init(
    shares: Shares, topicCount: Int, stay: Float, width: Int, growth: Float, isTied: Bool,
    seed: UInt64
  ) {
    (self.shares, self.topicCount, self.stay) = (shares, topicCount, stay)
    (self.width, self.growth, self.isTied, self.seed) = (width, growth, isTied, seed)
    var generator = SeededGenerator(seed: seed &+ 0x7091C)
    func gaussian(_ count: Int) -> [Float] {
      (0..<count).map { _ in Float(generator.nextGaussian()) }
    }
    common = gaussian(width)
    topics = (0..<topicCount).map { _ in gaussian(width) }
    noise = gaussian(max(Self.noiseCountMin, 2 * width))
  }

  func topic(of token: Int) -> Int {
    var generator = SeededGenerator(seed: seed &* 31 &+ UInt64(token))
    return Int(generator.next() % UInt64(topicCount))
  }

  private func noise(of token: Int, stream: UInt64) -> ArraySlice<Float> {
    var generator = SeededGenerator(seed: seed &* 37 &+ UInt64(token) &* 2 &+ stream)
    let start = Int(generator.next() % UInt64(noise.count - width))
    return noise[start..<start + width]
  }

  /// Of unit variance.
  func embedding(of token: Int) -> [Float] {
    let own = noise(of: token, stream: 0)
    let topic = topics[topic(of: token)]
    let factors = (
      common: shares.common.squareRoot(), topic: shares.topic.squareRoot(),
      noise: shares.noise.squareRoot()
    )
    return (0..<width).map { index in
      let shared = factors.common * common[index] + factors.topic * topic[index]
      let noise = factors.noise * own[own.startIndex + index]
      guard isTied else { return shared + noise }
      return Float(2).squareRoot() * (isShared(index) ? shared : noise)
    }
  }

  private func isShared(_ index: Int) -> Bool { index < width / 2 }

  /// What the logit of a token of the same topic gains.
  private var offset: Float { log(stay * Float(topicCount - 1) / (1 - stay)) }

  /// A row of the output matrix, where it is not the embedding.
  func output(of token: Int, isText: Bool) -> [Float] {
    let own = noise(of: token, stream: 1)
    let topic = topics[topic(of: token)]
    let amplitude = offset * growth / (Float(width) * max(shares.topic, 0.02).squareRoot())
    let push =
      isText ? 0 : Self.depth * growth / (Float(width) * max(shares.common, 0.02).squareRoot())
    let deviation = Self.logitDeviation / Float(width).squareRoot()
    return (0..<width).map { index in
      deviation * own[own.startIndex + index] + amplitude * topic[index] - push * common[index]
    }
  }

  /// The last norm's weights, where the embedding is the output matrix too.
  func tiedOutputNorm(embeddingScale: Float) -> [Float] {
    let weight = offset * growth * embeddingScale / (Float(width) * max(shares.topic, 0.02))
    return (0..<width).map { isShared($0) ? weight : 0 }
  }
}
