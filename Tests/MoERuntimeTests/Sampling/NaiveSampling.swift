import Foundation
import MoECore
import MoERuntime
import MoESynthetic

/// What sampling means, written down plainly: sorted pairs and probabilities in double precision.
enum NaiveSampling {
  /// - Returns: The probability of each token, by id.
  static func distribution(
    _ logits: [Float], history: [Int32] = [], _ options: SamplingOptions
  ) -> [Double] {
    var pairs = logits.enumerated().map { (token: $0, logit: Double($1)) }
    let count = options.repeatLastCount < 0 ? history.count : options.repeatLastCount
    for token in Set(history.suffix(count)) {
      let logit = pairs[Int(token)].logit
      let penalty = Double(options.repeatPenalty)
      pairs[Int(token)].logit = logit > 0 ? logit / penalty : logit * penalty
    }
    pairs.sort { ($0.logit, -$0.token) > ($1.logit, -$1.token) }
    if options.temperature <= 0 { pairs = [pairs[0]] }
    if options.topK > 0 { pairs = Array(pairs.prefix(options.topK)) }
    if options.topP < 1 {
      var sum = 0.0
      var kept = 0
      for probability in softmax(pairs.map(\.logit)) {
        kept += 1
        sum += probability
        if sum >= Double(options.topP) { break }
      }
      pairs = Array(pairs.prefix(kept))
    }
    if options.minP > 0 {
      let probabilities = softmax(pairs.map(\.logit))
      pairs = zip(pairs, probabilities)
        .filter { $1 >= Double(min(options.minP, 1)) * probabilities[0] }.map(\.0)
    }
    let temperature = options.temperature > 0 ? Double(options.temperature) : 1
    let probabilities = softmax(pairs.map { $0.logit / temperature })
    var result = Array(repeating: 0.0, count: logits.count)
    for (pair, probability) in zip(pairs, probabilities) { result[pair.token] = probability }
    return result
  }

  static func softmax(_ logits: [Double]) -> [Double] {
    let largest = logits.max() ?? 0
    let weights = logits.map { exp($0 - largest) }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }
}

/// An array of floats as the sampler takes it.
final class Logits {
  private let buffer: AlignedBuffer
  private let count: Int

  init(_ values: [Float]) throws {
    buffer = try AlignedBuffer(byteCount: values.count * 4)
    count = values.count
    for (index, value) in values.enumerated() { view[index] = value }
  }

  private var view: FloatView { buffer.floats(count: count) }

  /// Lends the floats for the time of a call.
  func lend<Result>(_ body: (FloatView) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) { try body(view) }
  }

  static func random(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { _ in Float(generator.nextGaussian() * 2) }
  }
}

extension SamplingOptions {
  /// No stage but the draw itself.
  static var plain: SamplingOptions {
    var options = SamplingOptions()
    (options.temperature, options.topK, options.topP, options.minP) = (1, 0, 1, 0)
    options.repeatPenalty = 1
    options.seed = 1
    return options
  }

  static func plain(_ change: (inout SamplingOptions) -> Void) -> SamplingOptions {
    var options = plain
    change(&options)
    return options
  }
}
