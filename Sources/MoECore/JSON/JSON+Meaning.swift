/// What values mean, however they are written.
extension JSON {
  /// Whether both mean the same: numbers of one value, members in any order.
  package func isSame(as other: JSON) -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.bool(let left), .bool(let right)): return left == right
    case (.string(let left), .string(let right)): return left == right
    case (.number(let left), .number(let right)):
      if left == right { return true }
      guard let left = Double(left), let right = Double(right) else { return false }
      return left == right
    case (.array(let left), .array(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
    case (.object(let left), .object(let right)):
      let left = Self.lastMembers(left)
      let right = Self.lastMembers(right)
      return left.count == right.count
        && left.allSatisfy { name, value in right[name]?.isSame(as: value) ?? false }
    default: return false
    }
  }

  /// Whether a number's text is of a whole number.
  package static func isWhole(_ text: String) -> Bool {
    if !text.utf8.contains(where: { $0 == 0x2E || $0 | 0x20 == 0x65 }) { return true }
    guard let value = Double(text), value.isFinite else { return false }
    return value == value.rounded()
  }

  private static func lastMembers(_ members: [JSONMember]) -> [String: JSON] {
    var found: [String: JSON] = [:]
    for member in members { found[member.name] = member.value }
    return found
  }
}
