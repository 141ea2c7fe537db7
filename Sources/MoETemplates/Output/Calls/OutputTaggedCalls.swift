import MoECore

/// Calls with each argument between tags of its own, of which JSON is made.
struct OutputTaggedCalls: OutputCallReader {
  /// What differs between families.
  struct Form: Sendable {
    /// The tag that opens a call, as far as the name; nil where the section's opening is one.
    let callOpening: String?
    /// What ends the name; nil where the first tag after it does.
    let nameEnd: String?
    let callClosing: String
    /// The tag that opens an argument, as far as its key, and what ends that.
    let keyOpening: String
    let keyEnd: String
    /// The tag before the value; nil where it follows the key.
    var valueOpening: String?
    let valueClosing: String
    /// The tags around all arguments as JSON.
    var wholeOpening: String?
    var wholeClosing: String?
    /// The tag after all calls; nil where a call's end is the section's.
    var sectionClosing: String?
    /// Whether a value stands on lines of its own.
    var hasLines = false
    /// The name in the text up to `nameEnd`; nil where there is none.
    var name: @Sendable (_ text: [UInt8]) -> String? = { OutputBytes.string($0) }
    /// The key in the text up to `keyEnd`, and whether the value is text; nil where it isn't said.
    var key: @Sendable (_ text: [UInt8]) -> (key: String, isText: Bool?) = {
      (OutputBytes.string($0), nil)
    }
  }

  private enum Place { case between, name, call, key, gap, value, whole }

  private let form: Form
  private let tools: [OutputTool]
  private var tool: OutputTool?
  private var place = Place.between
  private var markers: OutputMarkers
  private var markerTexts: [String] = []
  private var released: [UInt8] = []
  private var text: [UInt8] = []
  private var value: OutputValueText
  private var hasArguments = false

  /// With `isInName`, the opening was that of a call.
  init(_ form: Form, tools: [OutputTool], isInName: Bool = false) {
    self.form = form
    self.tools = tools
    markers = OutputMarkers([])
    value = OutputValueText(types: nil, isText: true, hasLines: false)
    turn(to: isInName || form.callOpening == nil ? .name : .between)
  }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    let found = markers.read(byte, text: &released)
    defer { released.removeAll(keepingCapacity: true) }
    switch place {
    case .between:
      if released.contains(where: { !$0.isOutputSpace }) { return .refused }
      guard let found else { return .inside }
      if markerTexts[found] == form.sectionClosing { return .ended }
      turn(to: .name)
    case .name:
      text.append(contentsOf: released)
      if text.count > OutputLimits.nameByteCountMax { return .refused }
      guard let found else { return .inside }
      return startCall(markerTexts[found], &sink)
    case .call, .gap:
      // Text between arguments has no meaning, but it is not lost.
      for byte in released where !byte.isOutputSpace { sink.content(byte) }
      if let found { return meet(markerTexts[found], &sink) }
    case .key:
      text.append(contentsOf: released)
      if text.count > OutputLimits.nameByteCountMax {
        sink.content(text)
        turn(to: .call)
      } else if found != nil {
        beginArgument(&sink)
      }
    case .whole:
      sink.arguments(released)
      if found != nil { turn(to: .call) }
    case .value:
      var json: [UInt8] = []
      for byte in released { value.read(byte, json: &json) }
      if found != nil { value.end(json: &json) }
      sink.arguments(json)
      if found != nil { turn(to: .call) }
    }
    return .inside
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    switch place {
    case .between: return nil
    case .key: return form.keyOpening.utf8 + text + markers.held
    case .value: return value.held + markers.held
    case .name, .call, .gap, .whole: break
    }
    return markers.held
  }

  private mutating func turn(to place: Place) {
    self.place = place
    text.removeAll(keepingCapacity: true)
    let wanted: [String?] =
      switch place {
      case .between: [form.callOpening, form.sectionClosing]
      case .name where form.nameEnd == nil: [form.keyOpening, form.callClosing]
      case .name: [form.nameEnd]
      case .call:
        [form.keyOpening, form.wholeOpening, form.callClosing, form.sectionClosing]
      case .whole: [form.wholeClosing]
      case .key: [form.keyEnd]
      case .gap: [form.valueOpening, form.callClosing]
      case .value: [form.valueClosing]
      }
    markerTexts = wanted.compactMap(\.self)
    markers = OutputMarkers(markerTexts)
  }

  private mutating func startCall(_ marker: String, _ sink: inout OutputSink) -> OutputReading {
    guard let name = form.name(OutputBytes.trimmed(text)), !name.isEmpty else { return .refused }
    sink.startCall(name: name)
    tool = tools.first { $0.name == name }
    hasArguments = false
    turn(to: .call)
    return marker == form.nameEnd ? .inside : meet(marker, &sink)
  }

  /// Meets a tag inside a call.
  private mutating func meet(_ marker: String, _ sink: inout OutputSink) -> OutputReading {
    switch marker {
    case form.keyOpening: turn(to: .key)
    case form.valueOpening: turn(to: .value)
    case form.wholeOpening: turn(to: .whole)
    default:
      if hasArguments { sink.arguments("}".utf8) }
      sink.endCall()
      let isSectionEnd = marker == form.sectionClosing || form.sectionClosing == nil
      turn(to: .between)
      return isSectionEnd ? .ended : .settled
    }
    return .inside
  }

  private mutating func beginArgument(_ sink: inout OutputSink) {
    let (key, isText) = form.key(OutputBytes.trimmed(text))
    sink.arguments(hasArguments ? ", ".utf8 : "{".utf8)
    sink.arguments(JSONString.quoted(key.utf8))
    sink.arguments(": ".utf8)
    hasArguments = true
    let types = OutputTypes(allowedBy: tool?.parameters?["properties"]?[key])
    value = OutputValueText(types: types, isText: isText, hasLines: form.hasLines)
    turn(to: form.valueOpening == nil ? .value : .gap)
  }
}
