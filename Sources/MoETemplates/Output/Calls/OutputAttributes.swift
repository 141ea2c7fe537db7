/// Attributes in a tag, as in `name="get_weather" string="true"`.
enum OutputAttributes {
  /// An attribute's value; nil where the text has none of that name.
  static func value(of name: String, in tag: [UInt8]) -> String? {
    let beginning = name + "=\""
    guard let start = OutputBytes.firstIndex(of: beginning, in: tag) else { return nil }
    let rest = tag[(start + beginning.utf8.count)...]
    let value = OutputBytes.string(rest.prefix { $0 != UInt8(ascii: "\"") })
    guard value.utf8.contains(UInt8(ascii: "&")) else { return value }
    return unescaped(Array(value.utf8))
  }

  /// Replaces the two references that templates write.
  private static func unescaped(_ text: [UInt8]) -> String {
    var result: [UInt8] = []
    var rest = text[...]
    while let first = rest.first {
      if rest.starts(with: "&quot;".utf8) {
        result.append(UInt8(ascii: "\""))
        rest = rest.dropFirst(6)
      } else if rest.starts(with: "&amp;".utf8) {
        result.append(UInt8(ascii: "&"))
        rest = rest.dropFirst(5)
      } else {
        result.append(first)
        rest = rest.dropFirst()
      }
    }
    return OutputBytes.string(result)
  }
}
