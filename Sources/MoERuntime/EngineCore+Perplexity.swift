#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
import MoECore
import MoEExperts
import MoEKernels
import MoEModel

extension EngineCore {
  func perplexity(
    of tokens: [Int32], options: PerplexityOptions, cancellation: CancellationFlag
  ) throws -> PerplexityResult {
    let meter = PerplexityMeter(decoder)
    let tokens = Array(tokens.prefix(max(0, options.tokenCountMax ?? tokens.count)))
    let window = options.windowTokenCount
    let stride = options.stride ?? window
    try checkPerplexity(window: window, stride: stride, tokenCount: tokens.count, options)
    let gating = try makeGating(options.gating)
    let isDecoded = options.readsOneByOne || gating?.dependsOnResidency == true
    var (sum, count, readCount) = (0.0, 0, 0)
    var windowStart = 0
    while windowStart + 1 < tokens.count {
      let end = min(windowStart + window, tokens.count)
      if options.scoring == .secondHalf && end - windowStart < window { break }
      let first: Int
      switch options.scoring {
      case .all: first = windowStart == 0 ? 1 : max(1, window - stride)
      case .secondHalf: first = window / 2 + 1
      }
      let window = tokens[windowStart..<end]
      let scored = try withOwnSequence(gating: gating) { sequence in
        try isDecoded
          ? scoreOneByOne(window, from: first, in: sequence, cancellation: cancellation)
          : score(window, from: first, in: sequence, cancellation: cancellation)
      }
      readCount += window.count
      // A sum that is no number stays none, whatever comes.
      guard scored.sum.isFinite else { throw try notANumber() }
      sum += scored.sum
      count += scored.count
      options.progress?(end, tokens.count)
      if end == tokens.count { break }
      windowStart += stride
    }
    guard count > 0 else {
      throw EngineError.textTooShort(tokenCount: tokens.count, wanted: window)
    }
    return meter.result(sum: sum, count: count, readCount: readCount)
  }

  private func checkPerplexity(
    window: Int, stride: Int, tokenCount: Int, _ options: PerplexityOptions
  ) throws(EngineError) {
    guard window >= 2 && window <= decoder.contextLength else {
      throw .invalidOption(
        name: "the perplexity window", wanted: "from 2 to the context of \(decoder.contextLength)",
        found: "\(window)")
    }
    guard stride >= 1 && stride <= window else {
      throw .invalidOption(
        name: "the stride", wanted: "from 1 to the window of \(window)", found: "\(stride)")
    }
    guard tokenCount >= 2 else { throw .textTooShort(tokenCount: tokenCount, wanted: 2) }
  }

  /// The same as `score` by decode steps.
  private func scoreOneByOne(
    _ window: ArraySlice<Int32>, from first: Int, in sequence: SequenceState,
    cancellation: CancellationFlag
  ) throws -> (sum: Double, count: Int) {
    var (sum, count) = (0.0, 0)
    for (row, token) in window.enumerated() {
      try forward(
        CollectionOfOne(token), of: sequence, phase: .decode, cancellation: cancellation)
      guard row >= first - 1 && row + 1 < window.count else { continue }
      let values = decoder.lastLogits()
      sum +=
        VectorMath.logSumExp(values) - Double(values[Int(window[window.startIndex + row + 1])])
      count += 1
    }
    return (sum, count)
  }

  /// Negative log-likelihoods of a window's tokens from number `first` on.
  private func score(
    _ window: ArraySlice<Int32>, from first: Int, in sequence: SequenceState,
    cancellation: CancellationFlag
  ) throws -> (sum: Double, count: Int) {
    let base = window.startIndex
    var (sum, count) = (0.0, 0)
    try prefill(Array(window), of: sequence, cancellation: cancellation) { start, chunk in
      // The row of token t predicts token t + 1.
      var row = max(start, first - 1)
      let end = min(start + chunk, window.count - 1)
      while row < end {
        let rows = min(decoder.logitRowCountMax, end - row)
        let logits = decoder.logits(ofRows: row - start..<row - start + rows)
        for offset in 0..<rows {
          let target = Int(window[base + row + offset + 1])
          let values = logits.row(offset)
          sum += VectorMath.logSumExp(values) - Double(values[target])
          count += 1
        }
        row += rows
      }
    }
    return (sum, count)
  }
}

/// Measures the reading of a text.
private struct PerplexityMeter {
  let decoder: Decoder
  let start = MonotonicClock.nanoseconds()
  let traffic: ExpertStatistics
  let routed: RoutedCounts

  init(_ decoder: Decoder) {
    self.decoder = decoder
    traffic = decoder.experts.statistics
    routed = decoder.routed
  }

  func result(sum: Double, count: Int, readCount: Int) -> PerplexityResult {
    let routed = decoder.routed - routed
    let traffic = decoder.experts.statistics - traffic
    return PerplexityResult(
      perplexity: exp(sum / Double(count)), tokens: count,
      meanNegativeLogLikelihood: sum / Double(count),
      seconds: Double(MonotonicClock.nanoseconds() - start) * 1e-9,
      expertsPerToken: (routed.prefill + routed.decode).meanExpertCount ?? 0,
      readTokens: readCount, traffic: ExpertTraffic(traffic.prefill + traffic.decode))
  }
}
