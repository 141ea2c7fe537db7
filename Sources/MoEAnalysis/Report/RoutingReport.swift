package import MoECache
private import MoECore

/// All that a routing report says of one trace: what `moe-run report --json` writes, and what its
/// page draws. Every part says what it was computed from; nothing in it knows how it is shown.
package struct RoutingReport: Sendable, Equatable, Encodable {
  /// What was analysed.
  package struct Source: Sendable, Equatable, Encodable {
    /// The file, or the model and its texts; as users know it.
    package var name: String
    /// Empty where nobody said.
    package var model: String
    package var precision: String
    package var tokens: Int
    package var sequences: Int
    /// (layer): its number among the model's blocks.
    package var layers: [Int]
    package var experts: Int
    package var expertsPerToken: Int
  }

  package let source: Source
  package let consistency: ConsistencyReport
  package let segmentCaching: SegmentCacheReport
  package let hitRates: HitRateReport
  package let use: ExpertUseReport
  package let reuse: ReuseReport
  package let prediction: RecallReport
  package let prompt: PromptReport

  /// How much is looked at: replays of large traces are of a part of them, and say so.
  package struct Limits: Sendable {
    /// Requests of one replay.
    package var replayRequests = 400_000
    /// Requests of what is counted in one pass.
    package var countedRequests = 8_000_000
    package var bootstrap = Bootstrap()

    package init() {}
  }

  /// Takes some seconds for a trace of a million requests, most of them for the policies.
  ///
  /// - Parameters:
  ///   - name: What users call the trace.
  ///   - progress: Parts done and in all.
  /// - Throws: Where the trace has no token, or a table of it would be too large.
  package init(
    _ trace: RoutingTrace, name: String, policies: [PolicyEntry] = PolicyRegistry.all,
    limits: Limits = Limits(), progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(RoutingAnalysisError) {
    guard trace.tokenCount > 0 else {
      throw RoutingAnalysisError("\(name) has no tokens to report on: record a text with some")
    }
    let total = 7
    let whole = try RoutingSequences(trace)
    source = Source(
      name: name, model: trace.metadata.model, precision: trace.metadata.quantization,
      tokens: whole.tokenCount, sequences: whole.sequences.count, layers: trace.metadata.layers,
      experts: whole.expertCount, expertsPerToken: whole.expertsPerToken)
    let counted = try whole.sampled(requestCountMax: limits.countedRequests)
    let replayed = try whole.sampled(requestCountMax: limits.replayRequests)
    progress(0, total)
    consistency = try ConsistencyReport(counted, bootstrap: limits.bootstrap)
    progress(1, total)
    use = try ExpertUseReport(counted)
    progress(2, total)
    reuse = ReuseReport(counted)
    prompt = PromptReport(counted)
    progress(3, total)
    segmentCaching = try SegmentCacheReport(replayed, bootstrap: limits.bootstrap)
    progress(4, total)
    prediction = try RecallReport(replayed)
    progress(5, total)
    hitRates = try HitRateReport(replayed, policies: policies)
    progress(total, total)
  }
}

/// A figure with its confidence interval, where there is one.
package struct ReportEstimate: Sendable, Equatable, Encodable {
  package var value: Double
  package var low: Double?
  package var high: Double?

  init(_ value: Double, _ interval: ClosedRange<Double>?) {
    self.value = value
    low = interval?.lowerBound
    high = interval?.upperBound
  }

  init(_ estimate: Estimate) { self.init(estimate.value, estimate.interval) }
}

/// Numbers of `from` to `to` of which each is twice the one before.
func doublings(from first: Int, through last: Int) -> [Int] {
  var numbers: [Int] = []
  var number = first
  while number <= last {
    numbers.append(number)
    number *= 2
  }
  return numbers
}
