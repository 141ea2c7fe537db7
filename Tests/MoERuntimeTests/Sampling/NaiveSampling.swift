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
    for (token, bias) in options.logitBiases { pairs[Int(token)].logit += Double(bias) }
    let window = history.suffix(count)
    for token in Set(window) where !options.mirostat {
      let logit = pairs[Int(token)].logit
      let penalty = Double(options.repeatPenalty)
      pairs[Int(token)].logit = logit > 0 ? logit / penalty : logit * penalty
      let times = Double(window.count { $0 == token })
      pairs[Int(token)].logit -=
        Double(options.presencePenalty) + times * Double(options.frequencyPenalty)
    }
    if options.dryMultiplier > 0 { dry(&pairs, history, options) }
    if options.topNSigma > 0 {
      let logits = pairs.map(\.logit)
      let mean = logits.reduce(0, +) / Double(logits.count)
      let deviation = (logits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(logits.count))
        .squareRoot()
      let least = (logits.max() ?? 0) - Double(options.topNSigma) * deviation
      pairs = pairs.filter { $0.logit >= least }
    }
    pairs.sort { ($0.logit, -$0.token) > ($1.logit, -$1.token) }
    if options.temperature <= 0 { pairs = [pairs[0]] }
    if options.topK > 0 { pairs = Array(pairs.prefix(options.topK)) }
    if options.typicalP < 1 {
      let probabilities = softmax(pairs.map(\.logit))
      let entropy = probabilities.reduce(0) { $0 - $1 * log($1) }
      let order = pairs.indices.sorted {
        (abs(-log(probabilities[$0]) - entropy), pairs[$0].token)
          < (abs(-log(probabilities[$1]) - entropy), pairs[$1].token)
      }
      var (kept, sum): ([Int], Double) = ([], 0)
      for index in order {
        kept.append(index)
        sum += probabilities[index]
        if sum > Double(options.typicalP) { break }
      }
      pairs = kept.sorted().map { pairs[$0] }
    }
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
    let plain = spread(pairs, options, count: logits.count)
    guard options.xtcProbability > 0 else { return plain }
    // Now and then without the most probable ones, but for the last of them.
    let probabilities = softmax(pairs.map(\.logit))
    let above = probabilities.count { $0 >= Double(options.xtcThreshold) }
    guard above >= 2 else { return plain }
    let less = spread(Array(pairs.dropFirst(above - 1)), options, count: logits.count)
    let often = Double(options.xtcProbability)
    return zip(plain, less).map { (1 - often) * $0 + often * $1 }
  }

  /// The draw from what is left, by the temperature and by Mirostat's first bound.
  private static func spread(
    _ pairs: [(token: Int, logit: Double)], _ options: SamplingOptions, count: Int
  ) -> [Double] {
    var temperature = options.temperature > 0 ? Double(options.temperature) : 1
    if options.dynamicTemperatureRange > 0, pairs.count > 1 {
      let probabilities = softmax(pairs.map(\.logit))
      let entropy = probabilities.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
      let share = pow(
        entropy / log(Double(pairs.count)), Double(options.dynamicTemperatureExponent))
      let low = max(0, temperature - Double(options.dynamicTemperatureRange))
      let high = temperature + Double(options.dynamicTemperatureRange)
      temperature = max(1e-5, low + (high - low) * share)
    }
    var pairs = pairs.map { (token: $0.token, logit: $0.logit / temperature) }
    if options.mirostat {
      let surprises = softmax(pairs.map(\.logit)).map { -log2($0) }
      let kept = surprises.prefix { $0 <= 2 * Double(options.mirostatTarget) }.count
      pairs = Array(pairs.prefix(max(1, kept)))
    }
    var result = Array(repeating: 0.0, count: count)
    for (pair, probability) in zip(pairs, softmax(pairs.map(\.logit))) {
      result[pair.token] = probability
    }
    return result
  }

  /// Every earlier place, compared token by token.
  private static func dry(
    _ pairs: inout [(token: Int, logit: Double)], _ history: [Int32], _ options: SamplingOptions
  ) {
    let count = options.dryLastCount < 0 ? history.count : options.dryLastCount
    let window = Array(history.suffix(count))
    var longest: [Int32: Int] = [:]
    for place in window.indices.dropFirst() {
      var length = 0
      while length < place, window[place - 1 - length] == window[window.count - 1 - length] {
        length += 1
      }
      if length >= options.dryAllowedLength {
        longest[window[place]] = max(longest[window[place]] ?? 0, length)
      }
    }
    for (token, length) in longest {
      pairs[Int(token)].logit -=
        Double(options.dryMultiplier)
        * pow(Double(options.dryBase), Double(length - options.dryAllowedLength))
    }
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
