/// The names that a chat template reads, so that it can be told whether a variable has an effect.
package enum TemplateNames {
  /// Names within tags, outside strings, that are no members of something.
  package static func all(in template: String) -> Set<String> {
    var names: Set<String> = []
    var name: [UInt8] = []
    var (isInTag, quote, before): (Bool, UInt8?, UInt8) = (false, nil, 0)
    var pointIsBefore = false
    for byte in template.utf8 {
      defer { before = byte }
      if !isInTag {
        let opens = byte == UInt8(ascii: "%") || byte == UInt8(ascii: "{")
        isInTag = opens && before == UInt8(ascii: "{")
        continue
      }
      if let end = quote {
        if byte == end { quote = nil }
        continue
      }
      if isNamePart(byte) {
        name.append(byte)
        continue
      }
      // What follows a point is a member of something.
      if !name.isEmpty, pointIsBefore {
        pointIsBefore = false
      } else if !name.isEmpty {
        names.insert(String(decoding: name, as: UTF8.self))
      }
      name = []
      pointIsBefore = byte == UInt8(ascii: ".")
      if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { quote = byte }
      let closes = before == UInt8(ascii: "%") || before == UInt8(ascii: "}")
      if byte == UInt8(ascii: "}") && closes { isInTag = false }
    }
    return names
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
    default: false
    }
  }
}
