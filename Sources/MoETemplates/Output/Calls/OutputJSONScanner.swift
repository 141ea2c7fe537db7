/// Follows JSON text far enough to know where a value ends.
///
/// It doesn't check the text: brackets are counted and strings passed over, so that the end is
/// found in most texts that are not quite JSON, too.
struct OutputJSONScanner: Sendable {
  private var depth = 0
  private var isEscaped = false
  private(set) var isInString = false
  /// Whether an object, array or string has been closed that was in nothing else.
  private(set) var hasEnded = false

  mutating func read(_ byte: UInt8) {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
        hasEnded = depth == 0
      }
      return
    }
    switch byte {
    case UInt8(ascii: "\""): isInString = true
    case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      if depth <= 0 { hasEnded = true }
    default: break
    }
  }
}
