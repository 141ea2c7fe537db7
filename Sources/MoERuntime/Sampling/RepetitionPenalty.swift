#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// DRY ("don't repeat yourself"): lowers the logits of tokens that would make the end of the text a
/// longer repetition of something before it, the more the longer that is already.
///
/// Where the last n tokens stood before, n at least the allowed length, the token that followed
/// them there loses `multiplier * base^(n - allowed)`. Repetitions do not go past tokens that break
/// sequences.
package struct RepetitionPenalty: SamplerStage {
  private let multiplier: Float
  private let base: Float
  private let allowedLength: Int
  /// Of the window; negative: the whole text.
  private let lastCount: Int

  /// Beyond this exponents would overflow, and nothing is more improbable than improbable.
  private static let exponentMax: Float = 80

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    let isOff = options.dryMultiplier == 0 || options.dryBase < 1 || options.dryLastCount == 0
    return isOff ? nil : RepetitionPenalty(options)
  }

  private init(_ options: SamplingOptions) {
    multiplier = options.dryMultiplier
    base = options.dryBase
    allowedLength = options.dryAllowedLength
    lastCount = options.dryLastCount
  }

  package mutating func apply(to candidates: inout Candidates, step: SamplerStep) {
    let history = step.history
    let count = lastCount < 0 ? history.count : min(lastCount, history.count)
    guard count > allowedLength else { return }
    // Newest first: how long the text's end repeats before each position is then a prefix.
    let reversed = Array(history.suffix(count).reversed())
    let limit = reversed.firstIndex { step.breakers.contains($0) } ?? count
    let lengths = Self.prefixLengths(reversed, limit: limit)
    var longest: [Int32: Int] = [:]
    for (start, length) in lengths.enumerated().dropFirst() where length >= allowedLength {
      let next = reversed[start - 1]
      longest[next] = max(longest[next] ?? 0, length)
    }
    for (token, length) in longest {
      guard let index = candidates.index(of: token) else { continue }
      let exponent = min(Float(length - allowedLength), Self.exponentMax / max(log(base), 1e-6))
      candidates.setLogit(candidates.logits[index] - multiplier * pow(base, exponent), at: index)
    }
  }

  /// (position): how many tokens from there on equal those from the start on, at most `limit`; what
  /// the Z algorithm (Gusfield 1997, section 1.4) finds in one pass.
  private static func prefixLengths(_ tokens: [Int32], limit: Int) -> [Int] {
    var lengths = Array(repeating: 0, count: tokens.count)
    var (start, end) = (0, 0)
    for position in tokens.indices.dropFirst() {
      var length = position < end ? min(end - position, lengths[position - start]) : 0
      while length < limit, position + length < tokens.count,
        tokens[length] == tokens[position + length]
      {
        length += 1
      }
      lengths[position] = length
      if position + length > end { (start, end) = (position, position + length) }
    }
    return lengths
  }
}
