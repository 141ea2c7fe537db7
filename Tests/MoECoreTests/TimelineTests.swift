import MoECore
import Testing

@Suite struct TimelineTests {
  @Test func recordsNothingUnlessItIsStarted() throws {
    let timeline = try Timeline(eventCapacity: 8, workerCount: 1)
    timeline.end(timeline.begin(.layer))
    timeline.add(.attention, from: MonotonicClock.nanoseconds())
    timeline.end(timeline.beginRead(of: nil, byteCount: 1, isPrefetch: false))
    #expect(timeline.count == 0 && timeline.droppedCount == 0)
  }

  @Test func aSliceStandsBeforeWhatItHoldsAndAroundIt() throws {
    let timeline = try Timeline(eventCapacity: 8, workerCount: 1)
    timeline.startRecording()
    timeline.layer = 3
    let slice = timeline.begin(.layer)
    timeline.add(.attention, from: MonotonicClock.nanoseconds())
    timeline.end(slice)
    timeline.stopRecording()
    #expect(timeline.count == 2)
    let (outer, inner) = (timeline[0], timeline[1])
    #expect(outer.activity == .layer && inner.activity == .attention)
    #expect(outer.layer == 3 && inner.layer == 3)
    #expect(outer.start <= inner.start && inner.end <= outer.end)
    #expect(timeline.start <= outer.start && outer.end <= timeline.end)
  }

  @Test func aFullTimelineCountsWhatItDropsAndStillEndsItsSlices() throws {
    let timeline = try Timeline(eventCapacity: 4, workerCount: 2)
    timeline.startRecording()
    let slice = timeline.begin(.token)
    for _ in 0..<10 { timeline.add(.add, from: MonotonicClock.nanoseconds()) }
    let read = timeline.beginRead(of: nil, byteCount: 1, isPrefetch: false)
    timeline.end(read)
    timeline.end(slice)
    #expect(timeline.count == 4 && timeline.droppedCount == 8)
    #expect(timeline[0].end >= timeline.fullTime && timeline.fullTime > 0)
    // The next recording has all the room again.
    timeline.stopRecording()
    timeline.startRecording()
    #expect(timeline.count == 0 && timeline.droppedCount == 0 && timeline.fullTime == 0)
  }

  @Test func whatIsUnderWayWhenRecordingEndsEndsThen() throws {
    let timeline = try Timeline(eventCapacity: 4, workerCount: 1)
    timeline.startRecording()
    let slice = timeline.begin(.token)
    let read = timeline.beginRead(
      of: ExpertID(layer: 1, index: 2), byteCount: 3, isPrefetch: true)
    timeline.stopRecording()
    timeline.end(read)
    timeline.end(slice)
    for index in 0..<2 { #expect(timeline[index].end == timeline.end) }
    #expect(timeline[1].layer == 1 && timeline[1].number == 2 && timeline[1].isPrefetch)
  }

  @Test func whatEndsInALaterRecordingLeavesItAlone() throws {
    let timeline = try Timeline(eventCapacity: 4, workerCount: 1)
    timeline.startRecording()
    let slice = timeline.begin(.token)
    let read = timeline.beginRead(of: nil, byteCount: 3, isPrefetch: true)
    timeline.stopRecording()
    timeline.startRecording()
    let later = timeline.begin(.layer)
    let laterRead = timeline.beginRead(of: nil, byteCount: 4, isPrefetch: false)
    timeline.describe(
      slice, position: 7, tokenCount: 7, hitCount: 7, missCount: 7, byteCount: 7)
    timeline.end(slice)
    timeline.end(read, isWithdrawn: true)
    for index in 0..<2 { #expect(timeline[index].end == 0 && timeline[index].number == -1) }
    #expect(timeline[1].activity == .read)
    timeline.end(laterRead)
    timeline.end(later)
    for index in 0..<2 { #expect(timeline[index].end > 0) }
  }

  @Test func readsOfOneLaneNeverOverlap() throws {
    var generator = SeededGenerator(seed: 7)
    let timeline = try Timeline(eventCapacity: 2000, workerCount: 1)
    timeline.startRecording()
    var open: [Timeline.Read] = []
    for _ in 0..<1500 {
      if open.isEmpty || (open.count < 9 && generator.nextUnit() < 0.5) {
        open.append(timeline.beginRead(of: nil, byteCount: 1, isPrefetch: false))
      } else {
        timeline.end(open.remove(at: Int(generator.nextUnit() * Double(open.count))))
      }
    }
    timeline.stopRecording()
    #expect(timeline.laneCount == 9)
    var lastEnd: [UInt16: UInt64] = [:]
    for index in 0..<timeline.count {
      let event = timeline[index]
      #expect(lastEnd[event.track, default: 0] <= event.start)
      lastEnd[event.track] = event.end
    }
  }
}
