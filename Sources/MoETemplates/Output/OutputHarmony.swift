/// A turn of gpt-oss: messages with a header that names a channel and, for a call, a recipient.
///
/// The channel `analysis` is thinking. `final` and `commentary` without a recipient are content.
/// White space is kept, as none is part of the markup.
struct OutputHarmony: OutputMachine {
  private enum Place { case start, outside, header, text, arguments }

  private static let start = "<|start|>"
  private static let channel = "<|channel|>"
  private static let message = "<|message|>"
  private static let ends = ["<|end|>", "<|call|>", "<|return|>"]
  private static let bodyMarkers = ends + [start, channel]
  private static let headerMarkers = [message] + ends

  private var place = Place.start
  private var markersOutside = OutputMarkers([start, channel])
  private var markersInHeader = OutputMarkers(headerMarkers)
  private var markersInText = OutputMarkers(bodyMarkers)
  private var arguments = OutputArguments(markers: bodyMarkers)
  private var released: [UInt8] = []
  private var header: [UInt8] = []
  private var isThinking = false

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) {
    switch place {
    case .start, .outside: readOutside(byte, &sink)
    case .header: readHeader(byte, &sink)
    case .text:
      let found = markersInText.read(byte, text: &released)
      say(&sink)
      if let found { leaveBody(Self.bodyMarkers[found]) }
    case .arguments:
      var text: [UInt8] = []
      let step = arguments.read(byte, text: &text)
      sink.arguments(text)
      if case .marker(let found) = step {
        sink.endCall()
        leaveBody(Self.bodyMarkers[found])
      }
    }
  }

  mutating func finish(_ sink: inout OutputSink) {
    switch place {
    case .start, .outside:
      markersOutside.finish(text: &released)
      sink.content(released)
    case .header:
      // A header alone says nothing, but one that names a tool is the beginning of a call.
      let text = header + markersInHeader.held
      if recipient(of: text) != nil { sink.cutCall(unread: text) }
    case .text:
      markersInText.finish(text: &released)
      say(&sink)
    case .arguments:
      if arguments.isComplete { sink.endCall() } else { sink.cutCall(unread: arguments.held) }
    }
  }

  private mutating func say(_ sink: inout OutputSink) {
    if isThinking { sink.thinking(released) } else { sink.content(released) }
    released.removeAll(keepingCapacity: true)
  }

  /// The prompt ends behind `<|start|>assistant`, so the first header begins without a marker: at
  /// ` to=` or a channel. Other text is that of a model which doesn't know the form.
  private mutating func readOutside(_ byte: UInt8, _ sink: inout OutputSink) {
    let found = markersOutside.read(byte, text: &released)
    if let found {
      header = Array((found == 0 ? Self.start : Self.channel).utf8)
      if place == .start { header = released + header }
      released.removeAll(keepingCapacity: true)
      place = .header
      return
    }
    guard place == .start else {
      for byte in released where !byte.isOutputSpace { sink.content(byte) }
      released.removeAll(keepingCapacity: true)
      return
    }
    let text = OutputBytes.trimmed(released)
    if released.count > OutputLimits.nameByteCountMax {
      enterText(&sink)
    } else if text.count >= 3 && text.starts(with: "to=".utf8) {
      header = released
      released.removeAll(keepingCapacity: true)
      place = .header
    } else if !"to=".utf8.starts(with: text) {
      enterText(&sink)
    }
  }

  private mutating func enterText(_ sink: inout OutputSink) {
    place = .text
    isThinking = false
    say(&sink)
  }

  private mutating func readHeader(_ byte: UInt8, _ sink: inout OutputSink) {
    let found = markersInHeader.read(byte, text: &header)
    if header.count > OutputLimits.nameByteCountMax {
      released = header
      header = []
      enterText(&sink)
      return
    }
    guard let found else { return }
    guard found == 0 else {
      place = .outside
      header = []
      return
    }
    if let name = recipient(of: header) {
      sink.startCall(name: name)
      arguments = OutputArguments(markers: Self.bodyMarkers)
      place = .arguments
    } else {
      isThinking = word(behind: Self.channel, in: header) == "analysis"
      markersInText = OutputMarkers(Self.bodyMarkers)
      place = .text
    }
    header = []
  }

  private mutating func leaveBody(_ marker: String) {
    switch marker {
    case Self.start, Self.channel:
      header = Array(marker.utf8)
      place = .header
    default: place = .outside
    }
  }

  /// The tool that a header sends its message to; nil where it names none.
  private func recipient(of header: [UInt8]) -> String? {
    guard let name = word(behind: "to=", in: header), !name.isEmpty, name != "user" else {
      return nil
    }
    let beginning = "functions."
    return name.hasPrefix(beginning) ? String(name.dropFirst(beginning.count)) : name
  }

  private func word(behind beginning: String, in header: [UInt8]) -> String? {
    guard let start = OutputBytes.firstIndex(of: beginning, in: header) else { return nil }
    let rest = header[(start + beginning.utf8.count)...]
    return OutputBytes.string(rest.prefix { !$0.isOutputSpace && $0 != UInt8(ascii: "<") })
  }
}
