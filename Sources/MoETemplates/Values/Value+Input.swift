import MoECore

extension Value {
  /// A value from outside, all of one origin.
  ///
  /// Members of the same name leave the last value at the first one's place, as in Python.
  init(json: JSON, _ origin: Origin, _ budget: Budget) throws(TemplateError) {
    switch json {
    case .null: self.init(.null, origin)
    case .bool(let bool): self.init(bool, origin)
    case .string(let string): self.init(Text(string, origin))
    case .number(let text):
      if let integer = Int(text) {
        self.init(integer, origin)
      } else if text.utf8.allSatisfy({ $0 == 0x2D || (0x30...0x39).contains($0) }) {
        self.init(.numeral(text), origin)
      } else if let double = Double(text) {
        self.init(.float(double), origin)
      } else {
        throw TemplateError(.json, "'\(text.prefix(40))' is no number")
      }
    case .array(let elements):
      var values: [Value] = []
      values.reserveCapacity(elements.count)
      for element in elements { values.append(try Value(json: element, origin, budget)) }
      try self.init(list: values, origin)
    case .object(let members):
      let dict = DictObject()
      for member in members {
        let origin = Self.isKnownRole(member) ? .template : origin
        try dict.set(
          Value(Text(member.name, origin)), to: try Value(json: member.value, origin, budget),
          budget)
      }
      self.init(.dict(dict), origin)
    }
  }
}

extension Value {
  /// Templates make control tokens of roles, such as `<|user|>`. The names that interfaces know can
  /// do no harm in them; others come from whoever wrote the message.
  private static let roles: Set<String> = [
    "system", "developer", "user", "assistant", "tool", "function", "model", "ipython", "context",
  ]

  fileprivate static func isKnownRole(_ member: JSONMember) -> Bool {
    guard member.name == "role", case .string(let role) = member.value else { return false }
    return roles.contains(role)
  }
}

extension JSON {
  /// The characters of all strings, with 16 more for each value: what a rendering's limits grow by.
  ///
  /// Throws where values lie too deep in each other.
  func letterCount(depth: Int = 0) throws(TemplateError) -> Int {
    if depth > TemplateLimits.nestingMax {
      throw TemplateError(
        .limit, "a conversation's values lie more than \(TemplateLimits.nestingMax) deep")
    }
    switch self {
    case .null, .bool: return 16
    case .number(let text): return 16 + text.utf8.count
    case .string(let string): return 16 + string.utf8.count
    case .array(let elements):
      var count = 16
      for element in elements { count += try element.letterCount(depth: depth + 1) }
      return count
    case .object(let members):
      var count = 16
      for member in members {
        count += member.name.utf8.count + (try member.value.letterCount(depth: depth + 1))
      }
      return count
    }
  }
}
