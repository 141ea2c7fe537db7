/// Calls whose name stands before their arguments, which are JSON, each between markers.
struct OutputHeadedCalls: OutputCallReader {
  /// What differs between families.
  struct Form: Sendable {
    /// The marker before each call; nil where the section's opening is before the name.
    let callOpening: String?
    /// The marker between name and arguments; nil where the arguments' first brace is there.
    let argumentsOpening: String?
    /// The marker after each call; nil where the arguments' end is the call's.
    let callClosing: String?
    /// The marker after all calls.
    var sectionClosing: String?
    /// Whether arguments may stand in a fence of Markdown.
    var dropsFence = false
    /// The call that a head names, and arguments that were taken for a part of it; nil where it
    /// names none.
    let head: @Sendable (_ text: [UInt8]) -> OutputCallHead?
  }

  private enum Place { case between, head, arguments }

  private let form: Form
  private let callMarkers: [String]
  private let headMarkers: [String]
  private let endMarkers: [String]
  private var place: Place
  private var betweenMarkers: OutputMarkers
  private var markersInHead: OutputMarkers
  private var arguments: OutputArguments
  private var released: [UInt8] = []
  private var head: [UInt8] = []

  init(_ form: Form) {
    self.form = form
    callMarkers = [form.callOpening, form.sectionClosing].compactMap(\.self)
    headMarkers = [form.argumentsOpening, form.callClosing].compactMap(\.self)
    endMarkers = [form.callClosing, form.callOpening, form.sectionClosing].compactMap(\.self)
    place = form.callOpening == nil ? .head : .between
    betweenMarkers = OutputMarkers(callMarkers)
    markersInHead = OutputMarkers(headMarkers)
    arguments = OutputArguments(markers: endMarkers, dropsFence: form.dropsFence)
  }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    switch place {
    case .between: readBetween(byte)
    case .head: readHead(byte, &sink)
    case .arguments: readArguments(byte, &sink)
    }
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    switch place {
    case .between: nil
    case .head: []
    case .arguments: arguments.isComplete ? nil : arguments.held
    }
  }

  private mutating func readBetween(_ byte: UInt8) -> OutputReading {
    let found = betweenMarkers.read(byte, text: &released)
    defer { released.removeAll(keepingCapacity: true) }
    if released.contains(where: { !$0.isOutputSpace }) { return .refused }
    guard let found else { return .inside }
    if callMarkers[found] == form.sectionClosing { return .ended }
    beginHead()
    return .inside
  }

  private mutating func beginHead() {
    place = .head
    head.removeAll(keepingCapacity: true)
  }

  private mutating func readHead(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if form.argumentsOpening == nil && byte == UInt8(ascii: "{") && markersInHead.held.isEmpty {
      guard startCall(&sink) else { return .refused }
      return readArguments(byte, &sink)
    }
    let found = markersInHead.read(byte, text: &head)
    if head.count > OutputLimits.nameByteCountMax { return .refused }
    guard let found else { return .inside }
    guard startCall(&sink) else { return .refused }
    if headMarkers[found] == form.callClosing {
      sink.endCall()
      place = .between
      return .settled
    }
    return .inside
  }

  private mutating func startCall(_ sink: inout OutputSink) -> Bool {
    guard let call = form.head(head), !call.name.isEmpty else { return false }
    sink.startCall(id: call.id, name: call.name)
    sink.arguments(call.arguments)
    arguments = OutputArguments(markers: endMarkers, dropsFence: form.dropsFence)
    place = .arguments
    return true
  }

  private mutating func readArguments(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    var text: [UInt8] = []
    let step = arguments.read(byte, text: &text)
    sink.arguments(text)
    switch step {
    case .inside: return .inside
    case .complete:
      guard form.callClosing == nil else { return .inside }
      sink.endCall()
      return .ended
    case .marker(let index):
      sink.endCall()
      place = .between
      if endMarkers[index] == form.sectionClosing { return .ended }
      if endMarkers[index] == form.callOpening { beginHead() }
      return .settled
    }
  }
}

/// What stands before a call's arguments.
struct OutputCallHead: Sendable {
  var id: String?
  let name: String
  /// Arguments that no marker parted from the name.
  var arguments: [UInt8] = []
}
