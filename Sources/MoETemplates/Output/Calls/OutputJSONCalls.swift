/// Calls as JSON objects with a name and arguments, alone, one after another or in an array.
struct OutputJSONCalls: OutputCallReader {
  /// What differs between families.
  struct Form: Sendable {
    /// Markers after a call or all of them; none where the JSON's end is the end.
    var closings: [String] = []
    /// Markers before one more call.
    var openings: [String] = []
    /// Whether a semicolon stands between objects.
    var hasSemicolons = false
    /// Whether nothing but the members of a call may be in an object, and its arguments must, as no
    /// marker says that it is a call.
    var isStrict = false
  }

  private enum Place { case before, member, key, colon, value, string, scalar, container, between }

  private enum Role { case name, id, arguments, other }

  private let form: Form
  private let markersBetween: [String]
  /// Tools that a call without a marker may name; empty where any may be.
  private let names: Set<String>
  private var place = Place.before
  private var isInArray = false
  private var hadArray = false
  private var betweenMarkers: OutputMarkers
  private var released: [UInt8] = []

  private var unescaper = OutputUnescaper()
  private var scanner = OutputJSONScanner()
  private var arguments: OutputArguments
  private var role = Role.other
  private var key: [UInt8] = []
  private var name: [UInt8] = []
  private var id: [UInt8]?
  /// Arguments that came before the name.
  private var early: [UInt8] = []
  private var hasArguments = false
  private var hasName = false
  /// Objects around the call's members inside of the call's own.
  private var wrapperCount = 0

  init(_ form: Form, tools: [OutputTool]) {
    self.form = form
    names = form.isStrict ? Set(tools.map(\.name)) : []
    markersBetween = form.closings + form.openings.filter { !form.closings.contains($0) }
    betweenMarkers = OutputMarkers(markersBetween)
    arguments = OutputArguments(markers: form.closings)
  }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    switch place {
    case .before: readBefore(byte)
    case .member: readMember(byte, &sink)
    case .key: readKey(byte)
    case .colon: readColon(byte, &sink)
    case .value: readValue(byte, &sink)
    case .string: readString(byte, &sink)
    case .scalar: readScalar(byte, &sink)
    case .container: readContainer(byte, &sink)
    case .between: readBetween(byte, &sink)
    }
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    switch place {
    case .between: nil
    case .container where role == .arguments: arguments.held
    default: []
    }
  }

  private mutating func readBefore(_ byte: UInt8) -> OutputReading {
    if byte.isOutputSpace { return .inside }
    if byte == UInt8(ascii: "[") && !isInArray {
      isInArray = true
      return .inside
    }
    guard byte == UInt8(ascii: "{") else { return .refused }
    beginObject()
    return .inside
  }

  private mutating func beginObject() {
    place = .member
    name = []
    id = nil
    early = []
    hasArguments = false
    hasName = false
    wrapperCount = 0
  }

  private mutating func readMember(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if byte.isOutputSpace || byte == UInt8(ascii: ",") { return .inside }
    if byte == UInt8(ascii: "}") && wrapperCount > 0 {
      wrapperCount -= 1
      return .inside
    }
    if byte == UInt8(ascii: "}") { return endObject(&sink) }
    guard byte == UInt8(ascii: "\"") else { return .refused }
    key = []
    unescaper = OutputUnescaper()
    place = .key
    return .inside
  }

  private mutating func readKey(_ byte: UInt8) -> OutputReading {
    guard unescaper.read(byte, text: &key) else {
      return key.count > OutputLimits.nameByteCountMax ? .refused : .inside
    }
    switch OutputBytes.string(key) {
    case "name", "tool_name", "function": role = .name
    case "arguments", "parameters": role = .arguments
    case "id", "tool_call_id": role = .id
    case "type": role = .other
    default:
      if form.isStrict { return .refused }
      role = .other
    }
    place = .colon
    return .inside
  }

  private mutating func readColon(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if byte.isOutputSpace { return .inside }
    guard byte == UInt8(ascii: ":") else { return .refused }
    place = .value
    return .inside
  }

  private mutating func readValue(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if byte.isOutputSpace { return .inside }
    // A second name or second arguments are passed over.
    if role == .arguments && hasArguments || role == .name && hasName { role = .other }
    if role == .arguments {
      hasArguments = true
      if hasName && !start(&sink) { return .refused }
    }
    switch byte {
    case UInt8(ascii: "\""):
      unescaper = OutputUnescaper()
      place = .string
      if role == .id { id = [] }
    case UInt8(ascii: "{") where role == .name && !form.isStrict:
      // As a client writes it: {"type": "function", "function": {"name": ...}}.
      wrapperCount += 1
      place = .member
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      place = .container
      scanner = OutputJSONScanner()
      arguments = OutputArguments(markers: form.closings)
      return readContainer(byte, &sink)
    case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"): return .refused
    default:
      place = .scalar
      return readScalar(byte, &sink)
    }
    return .inside
  }

  private mutating func readString(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    var text: [UInt8] = []
    let isEnd = unescaper.read(byte, text: &text)
    switch role {
    case .name: name.append(contentsOf: text)
    case .id: if id?.count ?? 0 < OutputLimits.nameByteCountMax { id?.append(contentsOf: text) }
    case .arguments: give(text, &sink)
    case .other: break
    }
    if name.count > OutputLimits.nameByteCountMax { return .refused }
    guard isEnd else { return .inside }
    if role == .name { hasName = true }
    place = .member
    return .inside
  }

  private mutating func readScalar(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if byte.isOutputSpace || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
      place = .member
      return readMember(byte, &sink)
    }
    if role == .arguments { give([byte], &sink) }
    return .inside
  }

  private mutating func readContainer(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    guard role == .arguments else {
      scanner.read(byte)
      if scanner.hasEnded { place = .member }
      return .inside
    }
    var text: [UInt8] = []
    let step = arguments.read(byte, text: &text)
    give(text, &sink)
    switch step {
    case .inside: break
    case .complete: place = .member
    case .marker:
      // The object was not closed. It is a call if its name is known.
      guard hasName || sink.hasOpenCall else { return .refused }
      if !sink.hasOpenCall && !start(&sink) { return .refused }
      sink.endCall()
      return .ended
    }
    return .inside
  }

  private mutating func give(_ text: [UInt8], _ sink: inout OutputSink) {
    if sink.hasOpenCall { sink.arguments(text) } else { early.append(contentsOf: text) }
  }

  /// Starts the call, unless it can't be one.
  private mutating func start(_ sink: inout OutputSink) -> Bool {
    let name = OutputBytes.string(name)
    if name.isEmpty || !names.isEmpty && !names.contains(name) { return false }
    sink.startCall(id: id.map { OutputBytes.string($0) }, name: name)
    sink.arguments(early)
    early = []
    return true
  }

  private mutating func endObject(_ sink: inout OutputSink) -> OutputReading {
    if !sink.hasOpenCall {
      guard hasName, hasArguments || !form.isStrict, start(&sink) else { return .refused }
    }
    sink.endCall()
    place = .between
    let isAlone = !isInArray && markersBetween.isEmpty && !form.hasSemicolons
    return isAlone ? .ended : .settled
  }

  private mutating func readBetween(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if let found = betweenMarkers.read(byte, text: &released) {
      released = []
      let marker = markersBetween[found]
      if form.closings.contains(marker) { return .ended }
      (place, isInArray, hadArray) = (.before, false, false)
      return .settled
    }
    var reading = OutputReading.inside
    for byte in released {
      switch byte {
      case _ where byte.isOutputSpace: break
      case UInt8(ascii: ",") where isInArray, UInt8(ascii: ";") where form.hasSemicolons:
        reading = .settled
      case UInt8(ascii: "]") where isInArray:
        (isInArray, hadArray) = (false, true)
        reading = markersBetween.isEmpty ? .ended : .settled
      case UInt8(ascii: "{") where !hadArray: beginObject()
      default: reading = .refused
      }
      if reading == .refused { break }
    }
    released = []
    return reading
  }
}
