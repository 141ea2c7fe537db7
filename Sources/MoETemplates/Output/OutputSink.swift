/// Collects what readers find and makes events of it.
struct OutputSink: Sendable {
  private enum Kind { case content, thinking, arguments }

  private var events: [OutputEvent] = []
  private var kind = Kind.content
  /// Text of that kind which no event has yet.
  private var bytes: [UInt8] = []
  private(set) var callCount = 0
  /// Whether a call has been started and not ended.
  private(set) var hasOpenCall = false
  /// Whether the last call has been given any arguments.
  private(set) var hasArguments = false

  mutating func content(_ byte: UInt8) {
    turn(to: .content)
    bytes.append(byte)
  }

  mutating func content(_ text: some Collection<UInt8>) {
    guard !text.isEmpty else { return }
    turn(to: .content)
    bytes.append(contentsOf: text)
  }

  mutating func thinking(_ text: some Collection<UInt8>) {
    guard !text.isEmpty else { return }
    turn(to: .thinking)
    bytes.append(contentsOf: text)
  }

  mutating func startCall(id: String? = nil, name: String) {
    if hasOpenCall { endCall() }
    flush()
    events.append(.toolCallStarted(index: callCount, id: id, name: name))
    callCount += 1
    hasOpenCall = true
    hasArguments = false
  }

  mutating func arguments(_ text: some Collection<UInt8>) {
    guard hasOpenCall, !text.isEmpty else { return }
    turn(to: .arguments)
    hasArguments = true
    bytes.append(contentsOf: text)
  }

  /// Ends the call. One that was given no arguments has an empty object of them.
  mutating func endCall() {
    guard hasOpenCall else { return }
    if !hasArguments { arguments("{}".utf8) }
    flush()
    events.append(.toolCallEnded(index: callCount - 1))
    hasOpenCall = false
  }

  /// Says that the output ended inside a call: the one that is open, or one to come.
  mutating func cutCall(unread: [UInt8] = []) {
    flush()
    let index = hasOpenCall ? callCount - 1 : callCount
    let unread = OutputBytes.string(unread)
    events.append(.toolCallIncomplete(index: index, unread: unread))
    hasOpenCall = false
  }

  /// The events so far, less the bytes of a character that is not complete.
  mutating func drain() -> [OutputEvent] {
    let unfinished = OutputBytes.unfinishedByteCount(bytes)
    let rest = Array(bytes.suffix(unfinished))
    bytes.removeLast(unfinished)
    flush()
    bytes.append(contentsOf: rest)
    return takeEvents()
  }

  /// The last events, with U+FFFD for a character that was never completed.
  mutating func finish() -> [OutputEvent] {
    flush()
    return takeEvents()
  }

  private mutating func takeEvents() -> [OutputEvent] {
    defer { events.removeAll() }
    return events
  }

  private mutating func turn(to kind: Kind) {
    guard self.kind != kind else { return }
    flush()
    self.kind = kind
  }

  private mutating func flush() {
    guard !bytes.isEmpty else { return }
    let text = OutputBytes.string(bytes)
    switch kind {
    case .content: events.append(.content(text))
    case .thinking: events.append(.thinking(text))
    case .arguments: events.append(.toolCallArguments(index: callCount - 1, text))
    }
    bytes.removeAll(keepingCapacity: true)
  }
}
