import MoECore

/// A timeline as JSON in the trace-event format that Perfetto and Chrome's tracing page open: an
/// object whose `traceEvents` are complete events (`ph` X, times in microseconds), counters (C) and
/// names of processes and threads (M).
///
/// Times count from the start of the recording. The text is made in pieces of bounded size: a
/// timeline as one string would take more memory than the timeline.
struct TraceEventWriter {
  private let timeline: Timeline
  private let write: (String) throws -> Void
  private var text = ""
  private var isFirst = true

  private static let pieceByteCount = 64 << 10
  /// Processes of the format: groups of tracks.
  private static let (computing, reading) = (1, 2)
  /// The driver's thread within `computing`; workers follow.
  private static let driver = 1

  /// - Parameter write: Takes the text, piece by piece.
  static func write(_ timeline: Timeline, to write: (String) throws -> Void) throws {
    try withoutActuallyEscaping(write) { write in
      var writer = TraceEventWriter(timeline: timeline, write: write)
      try writer.writeAll()
    }
  }

  private init(timeline: Timeline, write: @escaping (String) throws -> Void) {
    self.timeline = timeline
    self.write = write
    text.reserveCapacity(Self.pieceByteCount + 1024)
  }

  private mutating func writeAll() throws {
    text += "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"dropped_events\":"
    text += "\(timeline.droppedCount)},\"traceEvents\":["
    try addNames()
    for index in 0..<timeline.count {
      let event = timeline[index]
      try add(Self.line(event, since: timeline.start))
      if event.activity == .prefillChunk || event.activity == .token { try addCounters(event) }
    }
    text += "\n]}\n"
    try write(text)
  }

  private mutating func addNames() throws {
    try addName("process_name", "compute", process: Self.computing, thread: 0)
    try addName("process_name", "expert reads", process: Self.reading, thread: 0)
    try addName("thread_name", "driver", process: Self.computing, thread: Self.driver)
    for worker in 0..<timeline.workerCount {
      let name = worker == 0 ? "worker 0 (the driver's share)" : "worker \(worker)"
      try addName(
        "thread_name", name, process: Self.computing, thread: Self.driver + 1 + worker)
    }
    for lane in 0..<timeline.laneCount {
      try addName("thread_name", "reads \(lane)", process: Self.reading, thread: 1 + lane)
    }
  }

  private mutating func addName(
    _ kind: String, _ name: String, process: Int, thread: Int
  ) throws {
    try add(
      "{\"name\":\"\(kind)\",\"ph\":\"M\",\"pid\":\(process),\"tid\":\(thread),"
        + "\"args\":{\"name\":\"\(name)\"}}")
  }

  /// Steps as curves: experts found and missed, and what was read.
  private mutating func addCounters(_ event: TimelineEvent) throws {
    let time = Self.microseconds(event.start - timeline.start)
    let common = "\"ph\":\"C\",\"ts\":\(time),\"pid\":\(Self.computing),\"args\":{"
    try add(
      "{\"name\":\"experts\",\(common)\"hits\":\(event.hitCount),\"misses\":\(event.missCount)}}")
    try add("{\"name\":\"bytes read\",\(common)\"bytes\":\(event.byteCount)}}")
  }

  private mutating func add(_ line: String) throws {
    text += isFirst ? "\n" : ",\n"
    text += line
    isFirst = false
    guard text.utf8.count >= Self.pieceByteCount else { return }
    try write(text)
    text.removeAll(keepingCapacity: true)
  }

  private static func line(_ event: TimelineEvent, since origin: UInt64) -> String {
    let (process, thread): (Int, Int) =
      switch event.place {
      case .driver: (computing, driver)
      case .worker: (computing, driver + 1 + Int(event.track))
      case .readLane: (reading, 1 + Int(event.track))
      }
    return "{\"name\":\"\(event.activity.name)\",\"cat\":\"\(event.activity.category)\","
      + "\"ph\":\"X\",\"ts\":\(microseconds(event.start - origin)),"
      + "\"dur\":\(microseconds(event.end - event.start)),"
      + "\"pid\":\(process),\"tid\":\(thread),\"args\":{\(arguments(event))}}"
  }

  private static func arguments(_ event: TimelineEvent) -> String {
    switch event.activity {
    case .prefillChunk, .token:
      return "\"position\":\(event.number),\"tokens\":\(event.tokenCount),"
        + "\"hits\":\(event.hitCount),\"misses\":\(event.missCount),"
        + "\"read_bytes\":\(event.byteCount)"
    case .read, .withdrawnRead:
      let kind = event.isPrefetch ? "prefetch" : "demand"
      return "\"layer\":\(event.layer),\"expert\":\(event.number),"
        + "\"bytes\":\(event.byteCount),\"kind\":\"\(kind)\""
    default:
      return event.layer < 0 ? "" : "\"layer\":\(event.layer)"
    }
  }

  /// Exact to the nanosecond, so that slices lie within each other as they did.
  private static func microseconds(_ nanoseconds: UInt64) -> String {
    let rest = String(nanoseconds % 1000)
    return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }
}

extension TimelineActivity {
  /// As the page that shows a timeline has it.
  fileprivate var name: String {
    switch self {
    case .prefillChunk: "prefill chunk"
    case .token: "token"
    case .layer: "layer"
    case .embed: "embedding"
    case .normalize: "norm"
    case .quantize: "quantize activations"
    case .queryKeyValue: "query, key, value"
    case .rotate: "rotary embedding"
    case .appendKeyValue: "append to KV cache"
    case .attention: "attention"
    case .convolution: "convolution"
    case .recurrence: "recurrence"
    case .attentionOutput: "attention output"
    case .router: "router"
    case .predict: "router of the next layer"
    case .gateUp: "experts gate, up"
    case .activate: "experts SwiGLU"
    case .down: "experts down"
    case .gather: "gather tokens"
    case .weightedSum: "experts weighted sum"
    case .add: "add to residual"
    case .scale: "scale, soft cap"
    case .output: "output logits"
    case .product: "product"
    case .positions: "rotary angles"
    case .select: "select experts"
    case .sample: "sample"
    case .request: "request experts"
    case .diskWait: "wait for disk"
    case .read: "read expert"
    case .withdrawnRead: "withdrawn read"
    case .preparation: "prepare memory"
    }
  }

  fileprivate var category: String {
    switch self {
    case .prefillChunk, .token: "step"
    case .layer: "layer"
    case .request: "request"
    case .diskWait: "wait"
    case .read, .withdrawnRead: "read"
    case .preparation: "preparation"
    default: "compute"
    }
  }
}
