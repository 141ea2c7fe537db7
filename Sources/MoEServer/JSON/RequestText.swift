import MoECore

/// Reads the body of a request as JSON.
enum RequestText {
  /// Values that a request may have in all.
  static let valueCountMax = 1 << 20
  /// About what each of them takes in memory once it is read.
  private static let byteCountPerValue = 96

  /// Throws a 400 that says where the body is no UTF-8, or no JSON, or too deep.
  static func json(_ body: [UInt8], _ memory: BodyMemory) throws(APIError) -> JSON {
    guard let text = String(validating: body, as: UTF8.self) else {
      throw .invalid(
        nil, "the body is not UTF-8: it is broken at byte \(validByteCount(body))",
        code: "invalid_utf8")
    }
    let valueCount = valueCount(body)
    guard valueCount <= valueCountMax else {
      throw .invalid(
        nil, "the body has more than \(valueCountMax) values; send less", code: "too_many_values")
    }
    try memory.reserve(valueCount * byteCountPerValue)
    do {
      return try JSON(text: text)
    } catch {
      throw .invalid(nil, "\(error)", code: "invalid_json")
    }
  }

  /// An upper bound of the values in a text, if it is JSON: commas and brackets outside strings.
  private static func valueCount(_ body: [UInt8]) -> Int {
    var count = 1
    var isInString = false
    var isEscaped = false
    for byte in body {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
      default: break
      }
    }
    return count
  }

  /// How many bytes from the start are whole characters.
  private static func validByteCount(_ body: [UInt8]) -> Int {
    var (valid, broken) = (0, body.count)
    // What is valid up to a place is valid up to each before it, but for a character's own middle.
    while broken - valid > 4 {
      var middle = (valid + broken) / 2
      while middle > valid, body[middle] & 0xC0 == 0x80 { middle -= 1 }
      if middle == valid { break }
      if String(validating: body[valid..<middle], as: UTF8.self) != nil {
        valid = middle
      } else {
        broken = middle
      }
    }
    while valid < body.count {
      let next = (1...4).first { count in
        valid + count <= body.count
          && String(validating: body[valid..<valid + count], as: UTF8.self) != nil
      }
      guard let next else { break }
      valid += next
    }
    return valid
  }
}
