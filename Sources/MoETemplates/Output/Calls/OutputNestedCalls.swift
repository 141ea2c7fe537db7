import MoECore

/// Calls as MiniMax-M3 writes them: nested elements, each tag behind a mark of its own, of which
/// JSON is made.
struct OutputNestedCalls: OutputCallReader {
  static let mark = "]<]minimax[>["
  static let opening = mark + "<tool_call>"
  static let closing = mark + "</tool_call>"

  private enum Kind { case text, object, array }

  private struct Element {
    let name: [UInt8]
    let schema: JSON?
    var kind = Kind.text
    var value: OutputValueText
    /// Whether the text is known to be a string, in which tags mean nothing.
    let isString: Bool
    var hasSpaceOnly = true
    var isEmpty = true
  }

  private let tools: [OutputTool]
  private var tool: OutputTool?
  private var markers = OutputMarkers([mark])
  private var released: [UInt8] = []
  private var json: [UInt8] = []
  /// The text of a tag from behind its mark; nil outside of tags.
  private var tag: [UInt8]?
  private var isInCall = false
  private var isEmpty = true
  private var open: [Element] = []

  init(tools: [OutputTool]) { self.tools = tools }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    var reading = OutputReading.inside
    if tag != nil {
      tag?.append(byte)
      let count = tag?.count ?? 0
      if byte == UInt8(ascii: ">") {
        reading = readTag(&sink)
      } else if count == 1 && byte != UInt8(ascii: "<") || count > OutputLimits.nameByteCountMax {
        if !isInCall { return .refused }
        takeTagAsText(&sink)
      }
    } else {
      let found = markers.read(byte, text: &released)
      if !isInCall {
        if released.contains(where: { !$0.isOutputSpace }) { return .refused }
      }
      for byte in released { take(byte, &sink) }
      released.removeAll(keepingCapacity: true)
      if found != nil { tag = [] }
    }
    sink.arguments(json)
    json.removeAll(keepingCapacity: true)
    if reading != .inside { sink.endCall() }
    return reading
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    if !isInCall && (tag ?? []).isEmpty && markers.held.isEmpty { return nil }
    let last = open.last.flatMap { $0.kind == .text ? $0.value.held : nil } ?? []
    return last + (tag.map { Self.mark.utf8 + $0 } ?? markers.held)
  }

  private mutating func take(_ byte: UInt8, _ sink: inout OutputSink) {
    guard let last = open.indices.last, open[last].kind == .text else {
      // Text between arguments has no meaning, but it is not lost.
      if isInCall && !byte.isOutputSpace { sink.content(byte) }
      return
    }
    open[last].hasSpaceOnly = open[last].hasSpaceOnly && byte.isOutputSpace
    open[last].value.read(byte, json: &json)
  }

  private mutating func takeTagAsText(_ sink: inout OutputSink) {
    for byte in Self.mark.utf8 + (tag ?? []) { take(byte, &sink) }
    tag = nil
  }

  private mutating func readTag(_ sink: inout OutputSink) -> OutputReading {
    let name = OutputBytes.trimmed((tag ?? []).dropFirst().dropLast())
    guard isInCall else {
      tag = nil
      if name.elementsEqual("/tool_call".utf8) { return .ended }
      guard name.starts(with: "invoke".utf8),
        let tool = OutputAttributes.value(of: "name", in: name), !tool.isEmpty
      else { return .refused }
      sink.startCall(name: tool)
      self.tool = tools.first { $0.name == tool }
      isInCall = true
      isEmpty = true
      return .inside
    }
    if open.isEmpty && name.elementsEqual("/invoke".utf8) {
      tag = nil
      isInCall = false
      if !isEmpty { json.append(UInt8(ascii: "}")) }
      return .settled
    }
    if name.first == UInt8(ascii: "/") {
      guard let last = open.last, last.name.elementsEqual(name.dropFirst()) else {
        takeTagAsText(&sink)
        return .inside
      }
      close(last)
    } else if open.last.map({ $0.isString || $0.kind == .text && !$0.hasSpaceOnly }) ?? false
      || open.count >= OutputLimits.depthMax
    {
      takeTagAsText(&sink)
    } else {
      begin(name)
    }
    tag = nil
    return .inside
  }

  private mutating func close(_ element: Element) {
    open.removeLast()
    switch element.kind {
    case .object: json.append(UInt8(ascii: "}"))
    case .array: json.append(UInt8(ascii: "]"))
    case .text:
      let types = OutputTypes(allowedBy: element.schema)
      if element.hasSpaceOnly && types == .array {
        json.append(contentsOf: "[]".utf8)
      } else if element.hasSpaceOnly && types == .object {
        json.append(contentsOf: "{}".utf8)
      } else {
        var value = element.value
        value.end(json: &json)
      }
    }
  }

  private mutating func begin(_ name: [UInt8]) {
    let key = OutputBytes.string(name)
    var schema = tool?.parameters
    var isElement = false
    if let last = open.indices.last {
      schema = open[last].schema
      if open[last].kind == .text {
        let isArray = key == "item" && OutputTypes(allowedBy: schema) != .object
        open[last].kind = isArray ? .array : .object
        json.append(isArray ? UInt8(ascii: "[") : UInt8(ascii: "{"))
      }
      isElement = open[last].kind == .array
      if !open[last].isEmpty { json.append(contentsOf: ", ".utf8) }
      open[last].isEmpty = false
    } else {
      json.append(contentsOf: isEmpty ? "{".utf8 : ", ".utf8)
      isEmpty = false
    }
    if !isElement {
      json.append(contentsOf: JSONString.quoted(name))
      json.append(contentsOf: ": ".utf8)
    }
    let own = isElement ? schema?["items"] : schema?["properties"]?[key]
    let types = OutputTypes(allowedBy: own)
    open.append(
      Element(
        name: name, schema: own,
        value: OutputValueText(types: types, isText: nil, hasLines: false),
        isString: types == .string))
  }
}
