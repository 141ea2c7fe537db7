import MoECore

/// Where the time of a generation went, as its timeline has it.
public struct TimelineSummary: Sendable, Equatable, Codable {
  /// From the generation's start to its end, or until the timeline was full.
  public var seconds = 0.0
  /// Operations, routing and sampling.
  public var computeSeconds = 0.0
  /// Of the computing time, what workers on average waited for each other.
  public var unevenSeconds = 0.0
  /// Nothing to compute until the disk delivered.
  public var diskWaitSeconds = 0.0
  public var eventCount = 0
  /// Events for which the timeline had no room.
  public var droppedEventCount = 0

  public init() {}

  /// What is left: cache, submitting reads, and the text's way out.
  public var otherSeconds: Double { max(0, seconds - computeSeconds - diskWaitSeconds) }
}

extension TimelineSummary {
  init(_ timeline: Timeline) {
    eventCount = timeline.count
    droppedEventCount = timeline.droppedCount
    let end = timeline.fullTime == 0 ? timeline.end : timeline.fullTime
    guard end > timeline.start else { return }
    var (compute, wait, shared, shares): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    for index in 0..<timeline.count {
      let event = timeline[index]
      let duration = min(event.end, end) - min(event.start, end)
      switch event.place {
      case .driver:
        if event.activity.isCompute { compute += duration }
        if event.activity == .diskWait { wait += duration }
        // The shares of an operation follow it.
        let next = index + 1
        if next < timeline.count && timeline[next].place == .worker { shared += duration }
      case .worker: shares += duration
      case .readLane: break
      }
    }
    seconds = Double(end - timeline.start) * 1e-9
    computeSeconds = Double(compute) * 1e-9
    diskWaitSeconds = Double(wait) * 1e-9
    unevenSeconds = max(0, Double(shared) - Double(shares) / Double(timeline.workerCount)) * 1e-9
  }
}
