import MoECore

/// One call as Gemma 4 writes it, `call:name{key:<|"|>text<|"|>,other:1}`, of which JSON is made.
struct OutputGemmaCalls: OutputCallReader {
  static let quote = "<|\"|>"
  static let closing = "<tool_call|>"

  private enum Place { case name, key, value, word, string, after, closing }

  private var place = Place.name
  private var outsideMarkers = OutputMarkers([quote, closing])
  private var stringMarkers = OutputMarkers([quote])
  private var released: [UInt8] = []
  private var text: [UInt8] = []
  private var json: [UInt8] = []
  private var word = OutputValueText(types: nil, isText: nil, hasLines: false)
  /// Whether each open value is an object, and whether it has anything in it.
  private var open: [(isObject: Bool, isEmpty: Bool)] = []

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    let isString = place == .string
    let found =
      isString
      ? stringMarkers.read(byte, text: &released) : outsideMarkers.read(byte, text: &released)
    var reading = OutputReading.inside
    for byte in released where reading == .inside || reading == .settled {
      reading = take(byte, &sink)
    }
    released.removeAll(keepingCapacity: true)
    if let found, reading != .refused { reading = meet(isClosing: found == 1, &sink) }
    sink.arguments(json)
    json.removeAll(keepingCapacity: true)
    if place == .closing && sink.hasOpenCall {
      sink.endCall()
      return reading == .ended ? .ended : .settled
    }
    return reading
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    switch place {
    case .closing: return nil
    case .key: return text + outsideMarkers.held
    case .word: return word.held + outsideMarkers.held
    case .name, .value, .string, .after: break
    }
    return place == .string ? stringMarkers.held : outsideMarkers.held
  }

  private mutating func meet(isClosing: Bool, _ sink: inout OutputSink) -> OutputReading {
    if isClosing {
      if place == .name { return .refused }
      if place == .word { word.end(json: &json) }
      place = .closing
      return .ended
    }
    switch place {
    case .value:
      json.append(UInt8(ascii: "\""))
      place = .string
    case .string:
      json.append(UInt8(ascii: "\""))
      place = .after
    case .name: return .refused
    case .key, .word, .after, .closing: break
    }
    return .inside
  }

  private mutating func take(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    switch place {
    case .name:
      guard byte == UInt8(ascii: "{") else {
        text.append(byte)
        return text.count > OutputLimits.nameByteCountMax ? .refused : .inside
      }
      let head = OutputBytes.trimmed(text)
      guard head.starts(with: "call:".utf8), head.count > 5 else { return .refused }
      sink.startCall(name: OutputBytes.string(head.dropFirst(5)))
      enter(isObject: true)
    case .key: takeKey(byte)
    case .value: takeValue(byte)
    case .word:
      if [UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]")].contains(byte) {
        word.end(json: &json)
        takeAfter(byte)
      } else {
        word.read(byte, json: &json)
      }
    case .string: JSONString.append(byte, to: &json)
    case .after: takeAfter(byte)
    case .closing: return byte.isOutputSpace ? .inside : .refused
    }
    return .inside
  }

  private mutating func takeKey(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: ":"):
      separate()
      json.append(contentsOf: JSONString.quoted(OutputBytes.trimmed(text)))
      json.append(contentsOf: ": ".utf8)
      place = .value
    case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ","): takeAfter(byte)
    default:
      // A key that is too long is cut: none of a tool's is.
      if text.count < OutputLimits.nameByteCountMax { text.append(byte) }
    }
  }

  private mutating func takeValue(_ byte: UInt8) {
    switch byte {
    case _ where byte.isOutputSpace: break
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      if open.count < OutputLimits.depthMax {
        enter(isObject: byte == UInt8(ascii: "{"))
      } else {
        beginWord(byte)
      }
    case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ","): takeAfter(byte)
    default: beginWord(byte)
    }
  }

  private mutating func beginWord(_ byte: UInt8) {
    word = OutputValueText(types: nil, isText: nil, hasLines: false)
    word.read(byte, json: &json)
    place = .word
  }

  private mutating func takeAfter(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: ","):
      if open.last?.isObject ?? true { beginKey() } else { beginElement() }
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      guard let last = open.popLast() else { return }
      json.append(last.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
      place = open.isEmpty ? .closing : .after
    default: break
    }
  }

  private mutating func enter(isObject: Bool) {
    json.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
    open.append((isObject, true))
    if isObject { beginKey() } else { place = .value }
  }

  private mutating func beginKey() {
    text = []
    place = .key
  }

  private mutating func beginElement() {
    json.append(contentsOf: ", ".utf8)
    place = .value
  }

  /// Writes a comma before every member but the first.
  private mutating func separate() {
    guard let last = open.indices.last else { return }
    if !open[last].isEmpty { json.append(contentsOf: ", ".utf8) }
    open[last].isEmpty = false
  }
}
