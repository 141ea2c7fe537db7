internal import MoECore

/// Reads the keywords of one schema. What would change what is valid and isn't known is refused.
struct SchemaReader {
  let pointer: String
  var result = SchemaKeywords()

  /// What the reader asks its document for: a number.
  enum Request {
    /// Of a schema in this one.
    case child(JSON, String)
    /// Of the schema that a reference means.
    case reference(String)
    /// Of a choice, a new one.
    case choice
  }

  typealias Answer = (Request) throws(GrammarError) -> Int

  init(pointer: String) { self.pointer = pointer }

  /// A name as a JSON pointer in a URI fragment has it.
  static func escaped(_ name: String) -> String {
    name.replacing("~", with: "~0").replacing("/", with: "~1")
  }

  func error(
    _ keyword: String, _ problem: String, _ reason: GrammarError.Reason = .syntax
  ) -> GrammarError {
    GrammarError(reason, "\(keyword) \(problem)", at: .schema(pointer))
  }

  mutating func keywords(of schema: JSON, _ answer: Answer) throws(GrammarError) -> SchemaKeywords {
    switch schema {
    case .bool(let isPossible): result.isPossible = isPossible
    case .object(let members):
      // Of members with the same name the last counts.
      var last: [ExactText: Int] = [:]
      for (index, member) in members.enumerated() { last[ExactText(member.name)] = index }
      for (index, member) in members.enumerated() where last[ExactText(member.name)] == index {
        try read(member.name, member.value, answer)
      }
    default:
      throw GrammarError(
        .syntax, "a schema is an object, true or false, and here is \(schema.kind)",
        at: .schema(pointer))
    }
    return result
  }

  private mutating func read(
    _ name: String, _ value: JSON, _ answer: Answer
  ) throws(GrammarError) {
    switch name {
    case "$ref": result.reference = try answer(.reference(try string(name, value)))
    case "allOf": result.allOf = try schemas(name, value, answer)
    case "anyOf", "oneOf":
      result.choices.append(
        SchemaKeywords.Choice(
          number: try answer(.choice), alternatives: try schemas(name, value, answer),
          isExclusive: name == "oneOf", pointer: "\(pointer)/\(name)"))
    case "type": result.types = try types(value)
    case "enum": result.values.append(ListedValues(try array(name, value)))
    case "const": result.values.append(ListedValues([value]))
    case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum": try readBound(name, value)
    case "minLength", "maxLength", "pattern", "format": try readStringKeyword(name, value)
    case "prefixItems", "items", "minItems", "maxItems", "uniqueItems":
      try readArrayKeyword(name, value, answer)
    case "properties", "required", "patternProperties", "additionalProperties", "propertyNames",
      "minProperties", "maxProperties":
      try readObjectKeyword(name, value, answer)
    default:
      if !Self.isAnnotation(name) {
        throw error(name, "can't be enforced; leave it out or write it otherwise", .unsupported)
      }
    }
  }

  /// Keywords that change nothing about what is valid, and containers of schemas that are referred
  /// to.
  private static func isAnnotation(_ name: String) -> Bool {
    switch name {
    case "title", "description", "default", "examples", "example", "$schema", "$id", "$comment",
      "$anchor", "$vocabulary", "$defs", "definitions", "deprecated", "readOnly", "writeOnly",
      "contentEncoding", "contentMediaType", "contentSchema", "externalDocs", "xml",
      "discriminator", "strict":
      true
    default: name.hasPrefix("x-")
    }
  }

  // MARK: Kinds of values

  func string(_ name: String, _ value: JSON) throws(GrammarError) -> String {
    guard case .string(let text) = value else { throw error(name, "must be a string") }
    return text
  }

  func array(_ name: String, _ value: JSON) throws(GrammarError) -> [JSON] {
    guard case .array(let elements) = value else { throw error(name, "must be an array") }
    return elements
  }

  /// Not negative; one so large that it changes nothing is cut.
  func count(_ name: String, _ value: JSON) throws(GrammarError) -> Int {
    guard case .number(let text) = value, let number = DecimalNumber(text), number.isWhole,
      !number.isNegative
    else { throw error(name, "must be a whole number that isn't negative") }
    var count = 0
    for digit in number.whole { count = min(count * 10 + Int(digit), 1 << 30) }
    return count
  }

  func least(_ name: String, _ value: JSON) throws(GrammarError) -> Int {
    let count = try count(name, value)
    if count > GrammarLimits.repetitionCountMax {
      throw error(name, "is larger than \(GrammarLimits.repetitionCountMax)", .limit)
    }
    return count
  }

  func schemas(
    _ name: String, _ value: JSON, _ answer: Answer
  ) throws(GrammarError) -> [Int] {
    let elements = try array(name, value)
    if elements.isEmpty && name != "prefixItems" { throw error(name, "must not be empty") }
    var schemas: [Int] = []
    for (index, element) in elements.enumerated() {
      schemas.append(try answer(.child(element, "\(pointer)/\(name)/\(index)")))
    }
    return schemas
  }

  func namedSchemas(
    _ name: String, _ value: JSON, _ answer: Answer
  ) throws(GrammarError) -> [(name: ExactText, schema: Int)] {
    guard case .object(let members) = value else { throw error(name, "must be an object") }
    var schemas: [(name: ExactText, schema: Int)] = []
    var places: [ExactText: Int] = [:]
    for member in members {
      let key = ExactText(member.name)
      let place = "\(pointer)/\(name)/\(Self.escaped(member.name))"
      if places[key] != nil { throw error(name, "has \(member.name.quotedForMessage) twice") }
      places[key] = schemas.count
      schemas.append((key, try answer(.child(member.value, place))))
    }
    return schemas
  }

  private func types(_ value: JSON) throws(GrammarError) -> JSONTypes {
    let names: [JSON] = if case .array(let elements) = value { elements } else { [value] }
    var types: JSONTypes = []
    for name in names {
      guard case .string(let text) = name, let type = JSONTypes(named: text) else {
        throw error(
          "type", "must be null, boolean, integer, number, string, array, object or a list of these"
        )
      }
      types.formUnion(type)
    }
    return types
  }
}

extension JSON {
  /// What the value is, for a message.
  var kind: String {
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
