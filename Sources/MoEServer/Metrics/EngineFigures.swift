import MoEExperts
import MoERuntime

/// What an engine has done so far.
struct EngineFigures: Sendable {
  var load: EngineLoad
  var experts: ExpertStatistics
  /// The peak of the process's memory, and what it may have.
  var peakByteCount: Int
  var budgetByteCount: Int

  func write(to page: inout PrometheusText) {
    page.gauge("moe_requests_running", "Requests in progress.", Double(load.runningCount))
    page.gauge(
      "moe_requests_waiting", "Requests that wait for their turn.", Double(load.waitingCount))
    let total = experts.prefill + experts.decode
    page.counter(
      "moe_expert_requests_total", "Experts that layers asked for.", Double(total.requestCount))
    page.counter(
      "moe_expert_hits_total", "Those of them that were in memory.", Double(total.hitCount))
    page.gauge(
      "moe_expert_hit_rate", "Hits over requests since the start.",
      total.requestCount > 0 ? Double(total.hitCount) / Double(total.requestCount) : 1)
    page.counter(
      "moe_read_mebibytes_total", "MiB of experts read from disk.",
      Double(total.readByteCount) / Double(1 << 20))
    page.counter(
      "moe_stall_seconds_total", "Time with nothing to compute until the disk delivered.",
      Double(total.stallNanoseconds) * 1e-9)
    page.gauge("moe_memory_peak_bytes", "Peak of the process's memory.", Double(peakByteCount))
    page.gauge("moe_memory_budget_bytes", "What it may be.", Double(budgetByteCount))
    page.gauge(
      "moe_memory_headroom_bytes", "What is left of the budget at the peak.",
      Double(budgetByteCount - peakByteCount))
  }
}
