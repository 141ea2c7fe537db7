/// A turn made of sections: thinking, content and calls, each between markers of its own.
///
/// Thinking begins only where no content has been said since the turn or the last section began,
/// so that an answer may speak of the markers. White space next to a marker is dropped.
struct OutputSections: OutputMachine {
  private enum Place { case content, thinking, call }

  private enum Role { case opensThinking, closesThinking, opensCall, closesCall, ignored }

  private struct Marker {
    let text: String
    let role: Role
  }

  private let syntax: OutputToolSyntax?
  private let tools: [OutputTool]
  private let contentRoles: [Marker]
  private let thinkingRoles: [Marker]
  private var contentMarkers: OutputMarkers
  private var thinkingMarkers: OutputMarkers

  private var place = Place.content
  /// Whether the section has said nothing yet.
  private var isFresh = true
  /// Whether white space that comes now is next to a marker.
  private var dropsSpace = false
  /// White space that is text if no marker follows.
  private var space: [UInt8] = []
  private var released: [UInt8] = []

  private var reader: (any OutputCallReader)?
  /// Where the text goes on if what follows the marker is no call.
  private var placeBefore = Place.content
  /// Whether no marker has opened the call.
  private var isBare = false
  /// What has been read since the opening marker or the last call, while no call is open.
  private var unread: [UInt8] = []
  /// How many bytes of `unread` are the marker, or are not looked at again anyway.
  private var openingByteCount = 0
  /// White space before the marker, which is text if what follows is no call.
  private var spaceBefore: [UInt8] = []

  init(
    thinking: OutputThinking?, syntax: OutputToolSyntax?, ignored: [String], tools: [OutputTool],
    startsInThinking: Bool
  ) {
    self.syntax = syntax
    self.tools = tools
    var inContent = ignored.map { Marker(text: $0, role: .ignored) }
    var inThinking: [Marker] = []
    if let thinking {
      let own = [
        Marker(text: thinking.opening, role: .opensThinking),
        Marker(text: thinking.closing, role: .closesThinking),
      ]
      inContent += own
      inThinking += own
    }
    if let syntax {
      let openings = syntax.openings.map { Marker(text: $0, role: .opensCall) }
      inContent += openings + syntax.closings.map { Marker(text: $0, role: .closesCall) }
      if syntax.endsThinking { inThinking += openings }
    }
    contentRoles = Self.withoutRepetition(inContent)
    thinkingRoles = Self.withoutRepetition(inThinking)
    contentMarkers = OutputMarkers(contentRoles.map(\.text))
    thinkingMarkers = OutputMarkers(thinkingRoles.map(\.text))
    if startsInThinking && thinking != nil {
      place = .thinking
      dropsSpace = true
    }
  }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) {
    switch place {
    case .content:
      let found = contentMarkers.read(byte, text: &released)
      say(&sink)
      if let found { meet(contentRoles[found], &sink) }
    case .thinking:
      let found = thinkingMarkers.read(byte, text: &released)
      say(&sink)
      if let found { meet(thinkingRoles[found], &sink) }
    case .call: readCall(byte, &sink)
    }
  }

  mutating func finish(_ sink: inout OutputSink) {
    switch place {
    case .content: contentMarkers.finish(text: &released)
    case .thinking: thinkingMarkers.finish(text: &released)
    case .call:
      finishCall(&sink)
      return
    }
    say(&sink)
    // The last text may have opened a call.
    if place == .call {
      finish(&sink)
    } else {
      flushSpace(&sink)
    }
  }

  /// Says the text that markers have released.
  private mutating func say(_ sink: inout OutputSink) {
    var index = 0
    while index < released.count {
      let byte = released[index]
      index += 1
      if byte.isOutputSpace {
        if dropsSpace { continue }
        space.append(byte)
        if space.count > OutputLimits.spaceByteCountMax { flushSpace(&sink) }
        continue
      }
      if isFresh, place == .content, let syntax, syntax.bareOpenings.contains(byte) {
        // More text follows where a marker was not completed.
        let rest = Array(released[index...])
        released.removeAll(keepingCapacity: true)
        begin(opening: "", bare: byte, &sink)
        for byte in rest { read(byte, &sink) }
        return
      }
      flushSpace(&sink)
      say(byte, &sink)
    }
    released.removeAll(keepingCapacity: true)
  }

  private mutating func say(_ byte: UInt8, _ sink: inout OutputSink) {
    isFresh = false
    dropsSpace = false
    if place == .thinking { sink.thinking(CollectionOfOne(byte)) } else { sink.content(byte) }
  }

  private mutating func flushSpace(_ sink: inout OutputSink) {
    guard !space.isEmpty else { return }
    if place == .thinking { sink.thinking(space) } else { sink.content(space) }
    space.removeAll(keepingCapacity: true)
  }

  private mutating func meet(_ marker: Marker, _ sink: inout OutputSink) {
    if place == .call {
      // The text before the marker has opened a call, so this is for its reader.
      for byte in marker.text.utf8 { read(byte, &sink) }
      return
    }
    switch marker.role {
    case .ignored: enter(.content)
    case .opensThinking where isFresh: enter(.thinking)
    case .closesThinking where place == .thinking || isFresh: enter(.content)
    case .closesCall where sink.callCount > 0: enter(.content)
    case .opensCall: begin(opening: marker.text, bare: nil, &sink)
    case .opensThinking, .closesThinking, .closesCall:
      flushSpace(&sink)
      for byte in marker.text.utf8 { say(byte, &sink) }
    }
  }

  private mutating func enter(_ place: Place) {
    self.place = place
    isFresh = true
    dropsSpace = true
    space.removeAll(keepingCapacity: true)
  }

  private mutating func begin(opening: String, bare: UInt8?, _ sink: inout OutputSink) {
    guard let syntax else { return }
    isBare = bare != nil
    placeBefore = place
    spaceBefore = space
    unread = Array(opening.utf8)
    openingByteCount = max(unread.count, 1)
    enter(.call)
    reader = syntax.makeReader(opening, tools)
    if let bare { readCall(bare, &sink) }
  }

  private mutating func readCall(_ byte: UInt8, _ sink: inout OutputSink) {
    let hadOpenCall = sink.hasOpenCall
    var reading = reader?.read(byte, &sink) ?? .refused
    // What follows a call is kept from the byte after its last one.
    if sink.hasOpenCall {
      unread.removeAll(keepingCapacity: true)
    } else if !hadOpenCall || reading == .refused {
      unread.append(byte)
    }
    if unread.count > OutputLimits.callByteCountMax { reading = .refused }
    switch reading {
    case .inside: break
    case .settled:
      unread.removeAll(keepingCapacity: true)
      spaceBefore.removeAll(keepingCapacity: true)
      placeBefore = .content
      openingByteCount = 1
    case .ended:
      unread.removeAll(keepingCapacity: true)
      leaveCall()
    case .refused: refuse(&sink)
    }
  }

  private mutating func finishCall(_ sink: inout OutputSink) {
    let held = reader?.finish(&sink)
    reader = nil
    guard let held else {
      sink.endCall()
      // What is left is the beginning of another call, unless it is that of a marker after calls.
      let rest = OutputBytes.trimmed(unread)
      let isClosing = syntax?.closings.contains { $0.utf8.starts(with: rest) } ?? false
      if !rest.isEmpty && !isClosing { sink.cutCall(unread: unread) }
      return
    }
    if sink.hasOpenCall {
      sink.cutCall(unread: held)
    } else if isBare {
      // Nothing said that it was a call.
      sink.content(spaceBefore + unread)
    } else {
      sink.cutCall(unread: unread)
    }
  }

  private mutating func leaveCall() {
    reader = nil
    enter(.content)
  }

  /// What was read is no call. It is text, of which only a short end is searched for markers: to
  /// search all of it again and again would take long.
  private mutating func refuse(_ sink: inout OutputSink) {
    sink.endCall()
    let text = unread
    unread.removeAll(keepingCapacity: true)
    leaveCall()
    place = placeBefore
    space = spaceBefore
    flushSpace(&sink)
    spaceBefore.removeAll(keepingCapacity: true)
    if text.count - openingByteCount > OutputLimits.secondLookByteCountMax {
      openingByteCount = text.count
    }
    let (literal, rest) = (text.prefix(openingByteCount), text.dropFirst(openingByteCount))
    for byte in literal where !(dropsSpace && byte.isOutputSpace) { say(byte, &sink) }
    for byte in rest { read(byte, &sink) }
  }

  private static func withoutRepetition(_ markers: [Marker]) -> [Marker] {
    var known: Set<String> = []
    return markers.filter { known.insert($0.text).inserted }
  }
}
