import MoEAnalysis
import MoERuntime

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Measures what gatings cost and save, all with one engine on the same tokens.
///
/// Perplexity is taken over all tokens. Speed and reads are those of decoding the start of each
/// text token by token, whatever the gating would have written itself: so all settings do the same
/// work. Rounds go over all settings in turn, so that a disturbance of the machine meets them
/// alike, and medians are taken over the rounds.
struct GatingMeasurement {
  let engine: Engine
  /// (text): its tokens.
  let texts: [[Int32]]
  /// Tokens that are read together, at most the context.
  let windowTokenCount: Int
  /// Tokens of each text that are decoded.
  let decodedTokenCount: Int
  let roundCount: Int
  let isQuiet: Bool

  /// How well a setting predicts the texts.
  struct Quality {
    let perplexity: Double
    let scoredTokenCount: Int
    /// Experts that a token takes in a layer, in the mean.
    let expertsPerToken: Double
  }

  func quality(_ gating: GatingSpecification) async throws -> Quality {
    var (sum, count, experts, readCount) = (0.0, 0, 0.0, 0)
    for text in texts {
      let result = try await read(text) { $0.gating = gating }
      sum += result.meanNegativeLogLikelihood * Double(result.tokens)
      count += result.tokens
      experts += result.expertsPerToken * Double(result.readTokens)
      readCount += result.readTokens
    }
    return Quality(
      perplexity: exp(sum / Double(max(1, count))), scoredTokenCount: count,
      expertsPerToken: experts / Double(max(1, readCount)))
  }

  /// Bytes read for a token and tokens per second of each setting.
  func speeds(
    _ gatings: [GatingSpecification]
  ) async throws -> [(readBytesPerToken: Double, tokensPerSecond: Double)] {
    var bytes: [[Double]] = gatings.map { _ in [] }
    var rates: [[Double]] = gatings.map { _ in [] }
    let bar = ProgressBar("timing", isQuiet: isQuiet)
    for round in 0..<roundCount {
      for (index, gating) in gatings.enumerated() {
        bar.update(round * gatings.count + index, roundCount * gatings.count)
        let (byteCount, rate) = try await speed(gating)
        bytes[index].append(byteCount)
        rates[index].append(rate)
      }
    }
    bar.erase()
    return zip(bytes, rates).map { bytes, rates in
      (SampleStatistics(bytes).median, SampleStatistics(rates).median)
    }
  }

  private func speed(
    _ gating: GatingSpecification
  ) async throws -> (readBytesPerToken: Double, tokensPerSecond: Double) {
    var (byteCount, tokenCount, seconds) = (0, 0, 0.0)
    for text in texts {
      let result = try await read(text) {
        $0.gating = gating
        $0.readsOneByOne = true
        $0.tokenCountMax = decodedTokenCount
      }
      byteCount += result.traffic.readByteCount
      tokenCount += result.readTokens
      seconds += result.seconds
    }
    return (
      Double(byteCount) / Double(max(1, tokenCount)), Double(tokenCount) / max(seconds, 1e-9)
    )
  }

  private func read(
    _ text: [Int32], _ change: (inout PerplexityOptions) -> Void
  ) async throws -> PerplexityResult {
    var options = PerplexityOptions()
    options.windowTokenCount = windowTokenCount
    change(&options)
    let task = Task { [engine, options] in try await engine.perplexity(of: text, options) }
    Interruption.onFirstSignal { task.cancel() }
    let result = try await task.value
    try Interruption.check()
    return result
  }

  /// All settings, `off` first.
  ///
  /// - Parameter bound: Leaves out, and does not time, what raises perplexity by a larger share.
  func points(
    _ gatings: [GatingSpecification], within bound: Double = .infinity
  ) async throws -> (points: [GatingFrontier.Point], scoredTokenCount: Int) {
    var gatings = [GatingSpecification.off] + gatings.filter { !$0.isOff }
    for gating in gatings { try await engine.check(gating) }
    let bar = ProgressBar("reading the texts", isQuiet: isQuiet)
    var qualities: [Quality] = []
    for gating in gatings {
      bar.update(qualities.count, gatings.count)
      qualities.append(try await quality(gating))
    }
    bar.erase()
    let own = qualities[0].perplexity
    let kept = gatings.indices.filter {
      $0 == 0 || GatingFrontier.isWithin(bound, qualities[$0].perplexity, of: own)
    }
    (gatings, qualities) = (kept.map { gatings[$0] }, kept.map { qualities[$0] })
    let speeds = try await speeds(gatings)
    let points = gatings.indices.map { index in
      GatingFrontier.Point(
        gating: gatings[index].description, meanExpertCount: qualities[index].expertsPerToken,
        perplexity: qualities[index].perplexity,
        readBytesPerToken: speeds[index].readBytesPerToken,
        tokensPerSecond: speeds[index].tokensPerSecond)
    }
    return (points, qualities[0].scoredTokenCount)
  }
}
