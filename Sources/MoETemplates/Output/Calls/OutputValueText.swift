import MoECore

/// Makes JSON of an argument that a model wrote as bare text.
///
/// A string streams. What may be something else is held until its end shows what it is.
struct OutputValueText: Sendable {
  private let types: OutputTypes?
  private let hasLines: Bool
  /// Whether the value is known to be a string, whose quote has been written.
  private var isString = false
  private var isText: Bool
  private var hasBegun = false
  /// Text that is judged at its end.
  private var judged: [UInt8] = []
  /// A line break that is part of the value only if more follows.
  private var hasBreak = false

  /// Text that is not in the JSON yet.
  var held: [UInt8] { hasBreak ? judged + [0x0A] : judged }

  /// `isText` says whether the value is a string; where it is nil, `types` and the text decide.
  init(types: OutputTypes?, isText: Bool?, hasLines: Bool) {
    self.types = isText == nil ? types : nil
    self.hasLines = hasLines
    self.isText = isText ?? (types == .string)
  }

  mutating func read(_ byte: UInt8, json: inout [UInt8]) {
    if hasLines {
      if byte == 0x0A && !hasBegun {
        hasBegun = true
        return
      }
      hasBegun = true
      if hasBreak {
        hasBreak = false
        take(0x0A, json: &json)
      }
      if byte == 0x0A {
        hasBreak = true
        return
      }
    }
    take(byte, json: &json)
  }

  /// The value is complete.
  mutating func end(json: inout [UInt8]) {
    if isText {
      openString(json: &json)
    } else if !isString {
      json.append(contentsOf: OutputTypes.json(of: judged, types: types))
      judged = []
      return
    }
    json.append(UInt8(ascii: "\""))
  }

  private mutating func take(_ byte: UInt8, json: inout [UInt8]) {
    if isText || isString {
      openString(json: &json)
      JSONString.append(byte, to: &json)
      return
    }
    judged.append(byte)
    guard judged.count > OutputLimits.valueByteCountMax else { return }
    openString(json: &json)
    for byte in judged { JSONString.append(byte, to: &json) }
    judged = []
  }

  private mutating func openString(json: inout [UInt8]) {
    if !isString { json.append(UInt8(ascii: "\"")) }
    isString = true
  }
}
