package import MoECore

/// Checks a call's arguments against a subset of JSON schema: type, required, properties,
/// additionalProperties false, items and enum. What else a schema asks for is not looked at.
package enum OutputSchemaCheck {
  /// Sentences that are given at most.
  static let problemCountMax = 32

  /// What is wrong with the arguments, in sentences; nothing where they fit.
  package static func problems(arguments text: String, schema: JSON) -> [String] {
    do {
      return problems(of: try JSON(text: text), schema: schema)
    } catch {
      return ["The arguments are not JSON: \(error)."]
    }
  }

  /// The same for arguments that have been read.
  package static func problems(of arguments: JSON, schema: JSON) -> [String] {
    var check = Check()
    check.compare(arguments, with: schema, at: "", depth: 0)
    return check.problems
  }

  private struct Check {
    var problems: [String] = []

    mutating func compare(
      _ value: JSON, with schema: JSON, at path: String, depth: Int
    ) {
      guard depth < OutputLimits.depthMax, problems.count < problemCountMax else { return }
      let subject = path.isEmpty ? "The arguments" : "'\(path)'"
      let verb = path.isEmpty ? "are" : "is"
      if let types = namedTypes(schema), types.isDisjoint(with: OutputTypes(of: value)) {
        problems.append("\(subject) \(verb) \(value.kind), not \(types.listed).")
        return
      }
      if case .array(let allowed) = schema["enum"], !allowed.contains(where: value.isSame(as:)) {
        problems.append("\(subject) \(verb) none of the values that are allowed.")
      }
      switch value {
      case .object(let members): compare(members, with: schema, at: path, depth: depth)
      case .array(let elements):
        guard let items = schema["items"] else { return }
        for (index, element) in elements.enumerated() {
          compare(element, with: items, at: "\(path)[\(index)]", depth: depth + 1)
          if problems.count >= problemCountMax { return }
        }
      default: break
      }
    }

    private mutating func compare(
      _ members: [JSONMember], with schema: JSON, at path: String, depth: Int
    ) {
      let prefix = path.isEmpty ? "" : path + "."
      var known: [String: JSON] = [:]
      if case .object(let properties) = schema["properties"] {
        for property in properties { known[property.name] = property.value }
      }
      let names = Set(members.map(\.name))
      if case .array(let required) = schema["required"] {
        for case .string(let name) in required where !names.contains(name) {
          problems.append("'\(prefix)\(name)' is missing.")
        }
      }
      for member in members {
        if problems.count >= problemCountMax { return }
        if let property = known[member.name] {
          compare(member.value, with: property, at: prefix + member.name, depth: depth + 1)
        } else if schema["additionalProperties"] == .bool(false) {
          problems.append("'\(prefix)\(member.name)' is no argument of this tool.")
        }
      }
    }

    /// The types that `type` names; nil where it names none.
    private func namedTypes(_ schema: JSON) -> OutputTypes? {
      schema["type"] == nil ? nil : OutputTypes(allowedBy: schema)
    }
  }
}

extension JSON {
  /// What the value is, with its article.
  fileprivate var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension OutputTypes {
  /// The types' names with their articles.
  fileprivate var listed: String {
    let all: [(OutputTypes, String)] = [
      (.string, "a string"), (.integer, "an integer"), (.number, "a number"),
      (.boolean, "a boolean"), (.object, "an object"), (.array, "an array"), (.null, "null"),
    ]
    return all.filter { contains($0.0) }.map(\.1).joined(separator: " or ")
  }
}
