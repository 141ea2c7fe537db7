import MoECore

/// A list of calls as Python writes it, `[name(key="text", other=[1, True])]`, of which JSON is
/// made.
struct OutputPythonCalls: OutputCallReader {
  private enum Place { case list, name, key, value, word, string, escape, after, between, closing }

  private enum Bracket { case call, list, dictionary }

  /// The marker after the list; nil where its bracket is the end.
  private let closing: String?
  /// Tools that a list without a marker may call; empty where any may be.
  private let names: Set<String>
  private var place = Place.list
  private var markers: OutputMarkers
  private var released: [UInt8] = []
  private var text: [UInt8] = []
  private var json: [UInt8] = []
  private var word = OutputValueText(types: .python, isText: nil, hasLines: false)
  private var quote: UInt8 = 0
  private var open: [(bracket: Bracket, count: Int)] = []
  private var isBehindComma = false

  init(closing: String?, tools: [OutputTool]) {
    self.closing = closing
    names = closing == nil ? Set(tools.map(\.name)) : []
    markers = OutputMarkers(closing.map { [$0] } ?? [])
  }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    var reading = OutputReading.inside
    if place == .string || place == .escape {
      takeString(byte)
    } else {
      let found = markers.read(byte, text: &released)
      for byte in released where reading == .inside || reading == .settled {
        reading = take(byte, &sink)
      }
      released.removeAll(keepingCapacity: true)
      if found != nil && reading != .refused {
        let isBegun = place != .list && place != .name
        reading = isBegun ? .ended : .refused
      }
    }
    sink.arguments(json)
    json.removeAll(keepingCapacity: true)
    if place == .between || reading == .ended { sink.endCall() }
    return reading
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    switch place {
    case .between, .closing: return nil
    case .key: return text + markers.held
    case .word: return word.held + markers.held
    case .list, .name, .value, .string, .escape, .after: break
    }
    return markers.held
  }

  private mutating func take(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    switch place {
    case .list:
      if byte.isOutputSpace { return .inside }
      guard byte == UInt8(ascii: "[") else { return .refused }
      place = .name
    case .name: return takeName(byte, &sink)
    case .key: takeKey(byte)
    case .value: takeValue(byte)
    case .word: takeWord(byte)
    case .string, .escape: takeString(byte)
    case .after: takeAfter(byte)
    case .between:
      if byte == UInt8(ascii: "]") {
        place = .closing
        return closing == nil ? .ended : .settled
      }
      if byte == UInt8(ascii: ",") {
        text = []
        place = .name
        return .settled
      }
      return byte.isOutputSpace ? .inside : .refused
    case .closing: return byte.isOutputSpace ? .inside : .refused
    }
    return place == .between ? .settled : .inside
  }

  private mutating func takeName(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    switch byte {
    case UInt8(ascii: "("):
      let name = OutputBytes.string(OutputBytes.trimmed(text))
      if name.isEmpty || !names.isEmpty && !names.contains(name) { return .refused }
      sink.startCall(name: name)
      enter(.call)
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80..., UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "-"):
      text.append(byte)
      if text.count > OutputLimits.nameByteCountMax { return .refused }
    case _ where byte.isOutputSpace: break
    default: return .refused
    }
    return .inside
  }

  /// The name of an argument; or, where no equals sign follows, an argument without one.
  private mutating func takeKey(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "="):
      write(key: OutputBytes.trimmed(text))
      place = .value
    case UInt8(ascii: ")") where OutputBytes.trimmed(text).isEmpty: leave()
    case _ where byte.isOutputSpace && text.isEmpty: break
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80..., UInt8(ascii: "_"), 0x20:
      if text.count < OutputLimits.nameByteCountMax {
        text.append(byte)
      } else {
        beginUnnamed()
        takeWord(byte)
      }
    default:
      beginUnnamed()
      if place == .word { takeWord(byte) } else { takeValue(byte) }
    }
  }

  /// Gives an argument without a name its number as one, and takes what was read as its value.
  private mutating func beginUnnamed() {
    write(key: Array(String(open.last?.count ?? 0).utf8))
    place = .value
    for byte in text { if place == .value { takeValue(byte) } else { takeWord(byte) } }
  }

  private mutating func write(key: [UInt8]) {
    separate()
    json.append(contentsOf: JSONString.quoted(key))
    json.append(contentsOf: ": ".utf8)
  }

  private mutating func takeValue(_ byte: UInt8) {
    if byte.isOutputSpace { return }
    switch byte {
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ","):
      takeAfter(byte)
      return
    default: break
    }
    if open.last?.bracket != .call && isBehindComma { separate() }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      quote = byte
      json.append(UInt8(ascii: "\""))
      place = .string
    case UInt8(ascii: "[") where open.count < OutputLimits.depthMax: enter(.list)
    case UInt8(ascii: "{") where open.count < OutputLimits.depthMax: enter(.dictionary)
    default:
      word = OutputValueText(types: .python, isText: nil, hasLines: false)
      word.read(byte, json: &json)
      place = .word
    }
  }

  private mutating func takeWord(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: ","), UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"),
      UInt8(ascii: ":"):
      word.end(json: &json)
      takeAfter(byte)
    default: word.read(byte, json: &json)
    }
  }

  private mutating func takeString(_ byte: UInt8) {
    if place == .escape {
      place = .string
      switch byte {
      case UInt8(ascii: "n"), UInt8(ascii: "t"), UInt8(ascii: "r"), UInt8(ascii: "u"),
        UInt8(ascii: "\""), UInt8(ascii: "\\"):
        json.append(UInt8(ascii: "\\"))
        json.append(byte)
      case UInt8(ascii: "'"): json.append(byte)
      default:
        json.append(contentsOf: "\\\\".utf8)
        JSONString.append(byte, to: &json)
      }
    } else if byte == quote {
      json.append(UInt8(ascii: "\""))
      place = .after
    } else if byte == UInt8(ascii: "\\") {
      place = .escape
    } else {
      JSONString.append(byte, to: &json)
    }
  }

  private mutating func takeAfter(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: ","):
      if open.last?.bracket == .call {
        text = []
        place = .key
      } else {
        isBehindComma = true
        place = .value
      }
    case UInt8(ascii: ":"):
      json.append(contentsOf: ": ".utf8)
      isBehindComma = false
      place = .value
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): leave()
    default: break
    }
  }

  private mutating func enter(_ bracket: Bracket) {
    json.append(bracket == .list ? UInt8(ascii: "[") : UInt8(ascii: "{"))
    open.append((bracket, 0))
    isBehindComma = false
    text = []
    place = bracket == .call ? .key : .value
  }

  private mutating func leave() {
    guard let last = open.popLast() else { return }
    json.append(last.bracket == .list ? UInt8(ascii: "]") : UInt8(ascii: "}"))
    isBehindComma = false
    place = open.isEmpty ? .between : .after
  }

  private mutating func separate() {
    isBehindComma = false
    guard let last = open.indices.last else { return }
    if open[last].bracket != .call || open[last].count > 0 {
      json.append(contentsOf: ", ".utf8)
    }
    open[last].count += 1
  }
}

extension OutputTypes {
  /// What a bare word of Python may be.
  fileprivate static let python: OutputTypes = [
    .string, .number, .integer, .boolean, .object, .array, .null,
  ]
}
