internal import MoECore

/// Keywords about one type of values.
extension SchemaReader {
  mutating func readBound(_ name: String, _ value: JSON) throws(GrammarError) {
    result.concernedTypes.formUnion(.number)
    guard case .number(let text) = value else { throw error(name, "must be a number") }
    guard let number = DecimalNumber(text) else {
      throw error(name, "has more than \(DecimalNumber.digitCountMax) digits", .limit)
    }
    let bound = NumberRange.Bound(value: number, isIncluded: !name.hasPrefix("exclusive"))
    if name.lowercased().hasSuffix("minimum") {
      result.numbers.raiseLower(to: bound)
    } else {
      result.numbers.reduceUpper(to: bound)
    }
  }

  mutating func readStringKeyword(_ name: String, _ value: JSON) throws(GrammarError) {
    switch name {
    case "minLength": result.lengths.min = try least(name, value)
    case "maxLength": result.lengths.max = try count(name, value)
    case "pattern": result.pattern = try string(name, value)
    default:
      // Unknown formats are annotations.
      let format = try string(name, value)
      guard StringFormat.pattern(named: format) != nil else { return }
      result.format = format
    }
    result.concernedTypes.formUnion(.string)
  }

  mutating func readArrayKeyword(
    _ name: String, _ value: JSON, _ answer: Answer
  ) throws(GrammarError) {
    switch name {
    case "prefixItems": result.prefixItems = try schemas(name, value, answer)
    case "items":
      if case .array = value {
        throw error(name, "is a list, as older drafts had it; write prefixItems", .unsupported)
      }
      result.items = try answer(.child(value, "\(pointer)/items"))
    case "minItems": result.itemCounts.min = try least(name, value)
    case "maxItems": result.itemCounts.max = try count(name, value)
    default:
      guard case .bool(let isUnique) = value else { throw error(name, "must be true or false") }
      if isUnique { throw error(name, "can't be enforced; leave it out", .unsupported) }
      return
    }
    result.concernedTypes.formUnion(.array)
  }

  mutating func readObjectKeyword(
    _ name: String, _ value: JSON, _ answer: Answer
  ) throws(GrammarError) {
    result.concernedTypes.formUnion(.object)
    switch name {
    case "properties": result.properties = try namedSchemas(name, value, answer)
    case "required":
      for element in try array(name, value) {
        result.required.append(ExactText(try string(name, element)))
      }
    case "patternProperties":
      result.patternProperties = try namedSchemas(name, value, answer).map {
        ($0.name.text, $0.schema)
      }
    case "additionalProperties":
      result.additionalProperties = try answer(.child(value, "\(pointer)/additionalProperties"))
    case "propertyNames":
      result.propertyNames = try answer(.child(value, "\(pointer)/propertyNames"))
    case "minProperties": result.propertyCounts.min = try least(name, value)
    default: result.propertyCounts.max = try count(name, value)
    }
  }
}
