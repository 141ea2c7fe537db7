import MoECore
import MoEExperts
import MoEModel

/// Measures one request, by the steps that it had a part in.
final class GenerationMeter {
  let heldTokenCount: Int
  private var traffic = ExpertStatistics()
  private var routed = RoutedCounts()
  private var start = MonotonicClock.nanoseconds()
  private var prefillEnd: UInt64?
  private var firstToken: UInt64 = 0
  private var lastToken: UInt64 = 0
  private var result = GenerationStatistics()

  init(heldTokenCount: Int) {
    self.heldTokenCount = heldTokenCount
    result.heldTokenCount = heldTokenCount
  }

  /// Leaves out what was done until now.
  func restart() {
    traffic = ExpertStatistics()
    routed = RoutedCounts()
    start = MonotonicClock.nanoseconds()
  }

  /// What a step cost, those that had a part in it besides included.
  func add(traffic: ExpertStatistics, routed: RoutedCounts) {
    self.traffic = self.traffic + traffic
    self.routed = self.routed + routed
  }

  func finish(_ reason: FinishReason) { result.finish = reason }

  func countPrompt(_ tokenCount: Int) { result.promptTokenCount += tokenCount }

  func finishPrefill() {
    if prefillEnd == nil { prefillEnd = MonotonicClock.nanoseconds() }
  }

  func countToken() {
    lastToken = MonotonicClock.nanoseconds()
    if result.generatedTokenCount == 0 { firstToken = lastToken }
    result.generatedTokenCount += 1
  }

  func statistics(gating: GatingSpecification, core: EngineCore) -> GenerationStatistics {
    if !gating.isOff {
      result.gating = GatingStatistics(
        gating: gating.description, prefillExpertsPerToken: routed.prefill.meanExpertCount,
        decodeExpertsPerToken: routed.decode.meanExpertCount)
    }
    let prefillEnd = prefillEnd ?? MonotonicClock.nanoseconds()
    result.prefillSeconds = Double(prefillEnd - start) * 1e-9
    result.decodeSeconds = Double(lastToken - firstToken) * 1e-9
    result.prefill = ExpertTraffic(traffic.prefill)
    result.decode = ExpertTraffic(traffic.decode)
    result.warmedExpertCount = core.offloaded?.warmedExpertCount ?? 0
    result.peakByteCount = ProcessMemory.peakByteCount()
    result.budgetByteCount = core.plan.budgetByteCount
    return result
  }
}

extension ExpertTraffic {
  init(_ counts: ExpertStatistics.Counts) {
    requestCount = counts.requestCount
    hitCount = counts.hitCount
    prefetchedCount = counts.prefetchedCount
    prefetchCount = counts.prefetchCount
    prefetchByteCount = counts.prefetchByteCount
    prefetchWastedByteCount = counts.prefetchWastedByteCount
    guessCount = counts.guessCount
    rightGuessCount = counts.rightGuessCount
    lowCount = counts.lowCount
    behindCount = counts.behindCount
    readByteCount = counts.readByteCount
    stallSeconds = Double(counts.stallNanoseconds) * 1e-9
  }
}
