import MoEReport
import MoERuntime

/// Where a run's time went, in one line for people.
enum TimelineLine {
  static func text(_ summary: TimelineSummary) -> String {
    func share(_ seconds: Double) -> String {
      Decimals.text(100 * seconds / max(summary.seconds, 1e-9), 1) + " %"
    }
    var parts = [
      "time \(Decimals.text(summary.seconds, 2)) s",
      "compute \(share(summary.computeSeconds)), including workers waiting for each other "
        + share(summary.unevenSeconds),
      "waiting for the disk \(share(summary.diskWaitSeconds))",
      "other \(share(summary.otherSeconds))",
      "timeline of \(summary.eventCount) events",
    ]
    if summary.droppedEventCount > 0 {
      parts.append("full by then: \(summary.droppedEventCount) later events are missing")
    }
    return parts.joined(separator: " | ")
  }
}
