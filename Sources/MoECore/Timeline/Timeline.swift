/// A recorder of what a run spent its time on, in memory that is allocated once.
///
/// One thread, the driver, writes everything: workers leave the times of their shares in places of
/// their own, which the driver collects after it has joined them. Once it is full, later events are
/// counted and dropped; slices that were begun before still get their ends. Nothing allocates after
/// creation.
@safe package final class Timeline: @unchecked Sendable {
  // Sendable because the engine's driver thread alone uses it.

  /// A slice that was begun and is to be ended; nothing where there was no room.
  package struct Slice: Sendable {
    var index = -1
    /// Which recording it belongs to: it may end in a later one, where it has no place.
    var recording = 0
    package init() {}
  }

  /// A read that was begun.
  package struct Read: Sendable {
    var index = -1
    var lane = -1
    var recording = 0
    package init() {}
  }

  package let eventCapacity: Int
  package let workerCount: Int
  package private(set) var count = 0
  package private(set) var droppedCount = 0
  package private(set) var isRecording = false
  /// When recording started and ended, and when the first event was dropped; 0 before.
  package private(set) var start: UInt64 = 0
  package private(set) var end: UInt64 = 0
  package private(set) var fullTime: UInt64 = 0
  /// The layer that operations belong to; -1 outside layers.
  package var layer = -1
  /// Lanes that were ever in use.
  package private(set) var laneCount = 0
  /// (worker): begin and end of its share of the operation that was joined last, in nanoseconds.
  package let shareTimes: UnsafeMutablePointer<UInt64>
  private let buffer: AlignedBuffer
  private let events: UnsafeMutablePointer<TimelineEvent>
  private var laneIsTaken: [Bool]
  /// Counts recordings, from 1.
  private var recording = 0

  /// Reads under way beyond these are counted as dropped.
  private static let laneCountMax = 4096

  /// What a timeline takes from the memory budget.
  package static func byteCount(eventCapacity: Int) -> Int {
    AlignedBuffer.mappedByteCount(for: eventCapacity * MemoryLayout<TimelineEvent>.stride)
  }

  package init(eventCapacity: Int, workerCount: Int) throws(OutOfMemory) {
    precondition(eventCapacity > 0 && workerCount > 0)
    self.eventCapacity = eventCapacity
    self.workerCount = workerCount
    buffer = try AlignedBuffer(byteCount: eventCapacity * MemoryLayout<TimelineEvent>.stride)
    // Provided now, so that recording takes no page faults, which it would show as work.
    buffer.populate()
    unsafe events = buffer.baseAddress.assumingMemoryBound(to: TimelineEvent.self)
    unsafe shareTimes = .allocate(capacity: 2 * workerCount)
    unsafe shareTimes.initialize(repeating: 0, count: 2 * workerCount)
    laneIsTaken = Array(repeating: false, count: Self.laneCountMax)
  }

  deinit { unsafe shareTimes.deallocate() }

  package subscript(index: Int) -> TimelineEvent {
    precondition(index >= 0 && index < count)
    return unsafe events[index]
  }

  /// Forgets what was recorded, and records from now on.
  package func startRecording() {
    (count, droppedCount, laneCount, layer) = (0, 0, 0, -1)
    (end, fullTime) = (0, 0)
    recording += 1
    for lane in laneIsTaken.indices { laneIsTaken[lane] = false }
    start = MonotonicClock.nanoseconds()
    isRecording = true
  }

  /// Ends recording; what is still under way ends now.
  package func stopRecording() {
    guard isRecording else { return }
    isRecording = false
    end = MonotonicClock.nanoseconds()
    for index in 0..<count where unsafe events[index].end == 0 { unsafe events[index].end = end }
  }

  // Slices on the driver's track. A slice takes its place when it begins, so that those that hold
  // others come before them and are there even where the others found no room.

  package func begin(_ activity: TimelineActivity) -> Slice {
    var slice = Slice()
    slice.index = append(
      TimelineEvent(
        start: MonotonicClock.nanoseconds(), end: 0, activity: activity, layer: Int16(layer)))
    slice.recording = recording
    return slice
  }

  package func end(_ slice: Slice) {
    guard isOpen(slice.index, slice.recording) else { return }
    unsafe events[slice.index].end = MonotonicClock.nanoseconds()
  }

  /// What a step did, once it is known.
  package func describe(
    _ slice: Slice, position: Int, tokenCount: Int, hitCount: Int, missCount: Int, byteCount: Int
  ) {
    guard isOpen(slice.index, slice.recording) else { return }
    unsafe events[slice.index].number = Int32(truncatingIfNeeded: position)
    unsafe events[slice.index].tokenCount = Int32(truncatingIfNeeded: tokenCount)
    unsafe events[slice.index].hitCount = Int32(truncatingIfNeeded: hitCount)
    unsafe events[slice.index].missCount = Int32(truncatingIfNeeded: missCount)
    unsafe events[slice.index].byteCount = byteCount
  }

  /// Adds what the driver did from `start` until now; with `isShared`, also the workers' shares,
  /// whose times they have left.
  package func add(_ activity: TimelineActivity, from start: UInt64, isShared: Bool = false) {
    let end = MonotonicClock.nanoseconds()
    var event = TimelineEvent(start: start, end: end, activity: activity, layer: Int16(layer))
    guard append(event) >= 0, isShared else { return }
    event.place = .worker
    for worker in 0..<workerCount {
      event.track = UInt16(worker)
      unsafe event.start = shareTimes[2 * worker]
      unsafe event.end = shareTimes[2 * worker + 1]
      append(event)
    }
  }

  // Reads.

  /// - Parameter expert: The expert that is read, where it is one.
  package func beginRead(of expert: ExpertID?, byteCount: Int, isPrefetch: Bool) -> Read {
    var read = Read()
    guard isRecording else { return read }
    guard let lane = laneIsTaken.firstIndex(of: false) else {
      drop()
      return read
    }
    var event = TimelineEvent(
      start: MonotonicClock.nanoseconds(), end: 0, activity: .read, place: .readLane,
      isPrefetch: isPrefetch, track: UInt16(lane), layer: Int16(expert?.layer ?? -1))
    event.number = Int32(expert?.index ?? -1)
    event.byteCount = byteCount
    read.index = append(event)
    guard read.index >= 0 else { return read }
    (read.lane, read.recording) = (lane, recording)
    laneIsTaken[lane] = true
    laneCount = max(laneCount, lane + 1)
    return read
  }

  /// - Parameter isWithdrawn: Nothing of it was sent to the disk.
  package func end(_ read: Read, isWithdrawn: Bool = false) {
    guard isOpen(read.index, read.recording) else { return }
    unsafe events[read.index].end = MonotonicClock.nanoseconds()
    if isWithdrawn { unsafe events[read.index].activity = .withdrawnRead }
    laneIsTaken[read.lane] = false
  }

  private func isOpen(_ index: Int, _ recording: Int) -> Bool {
    index >= 0 && isRecording && recording == self.recording
  }

  /// The new event's number; -1 where it was dropped or nothing is recorded.
  @discardableResult private func append(_ event: TimelineEvent) -> Int {
    guard isRecording else { return -1 }
    guard count < eventCapacity else {
      drop()
      return -1
    }
    unsafe (events + count).initialize(to: event)
    count += 1
    return count - 1
  }

  private func drop() {
    if droppedCount == 0 { fullTime = MonotonicClock.nanoseconds() }
    droppedCount += 1
  }
}
