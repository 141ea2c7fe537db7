internal import MoECore

/// Whether a given value fits schemas: for values that a schema lists.
///
/// By the narrow reading if it fits whatever way regular expressions are read, and with formats;
/// by the wide one if it may fit, as who takes formats for annotations would say.
extension SchemaCompiler {
  /// Whether the value fits all of them.
  mutating func fits(
    _ value: JSON, _ schemas: [Int], _ reading: PatternReading, depth: Int
  ) throws(GrammarError) -> Bool {
    for schema in schemas where try !fits(value, schema, reading, depth: depth) { return false }
    return true
  }

  private mutating func fits(
    _ value: JSON, _ schema: Int, _ reading: PatternReading, depth: Int
  ) throws(GrammarError) -> Bool {
    try budget.spend()
    if depth > 4 * GrammarLimits.nestingMax {
      throw GrammarError(
        .limit, "schemas refer to each other too deep for a value in an enum",
        at: document.place(of: schema))
    }
    let keywords = try document.keywords(of: schema)
    if !keywords.isPossible { return false }
    let referred = keywords.allOf + (keywords.reference.map { [$0] } ?? [])
    guard try fits(value, referred, reading, depth: depth + 1) else { return false }
    for choice in keywords.choices
    where try !fits(value, choice, reading, depth: depth + 1) {
      return false
    }
    if let types = keywords.types, types.isDisjoint(with: value.types) { return false }
    for list in keywords.values where !list.contains(value) { return false }
    switch value {
    case .null, .bool: return true
    case .number(let text):
      guard let number = DecimalNumber(text) else { return false }
      return keywords.numbers.contains(number)
    case .string(let text): return try fits(string: text, keywords, reading)
    case .array(let elements): return try fits(array: elements, schema, reading, depth)
    case .object(let members): return try fits(object: members, schema, reading, depth)
    }
  }

  private mutating func fits(
    _ value: JSON, _ choice: SchemaKeywords.Choice, _ reading: PatternReading, depth: Int
  ) throws(GrammarError) -> Bool {
    var (certainCount, possibleCount) = (0, 0)
    for alternative in choice.alternatives {
      if try fits(value, alternative, .narrow, depth: depth) {
        certainCount += 1
        possibleCount += 1
      } else if try fits(value, alternative, .wide, depth: depth) {
        possibleCount += 1
      }
    }
    switch (reading, choice.isExclusive) {
    case (.narrow, false): return certainCount > 0
    case (.narrow, true): return certainCount == 1 && possibleCount == 1
    case (.wide, false): return possibleCount > 0
    case (.wide, true): return possibleCount > 0 && certainCount < 2
    }
  }

  private mutating func fits(
    string text: String, _ keywords: SchemaKeywords, _ reading: PatternReading
  ) throws(GrammarError) -> Bool {
    let length = text.unicodeScalars.count
    if length < keywords.lengths.min || length > keywords.lengths.max ?? .max { return false }
    let format = keywords.format.flatMap { StringFormat.pattern(named: $0) }
    for pattern in [keywords.pattern, reading == .narrow ? format : nil].compactMap({ $0 }) {
      let automaton = try automaton(of: pattern, reading)
      if !automaton.accepts(text.unicodeScalars) { return false }
    }
    return true
  }

  private mutating func fits(
    array elements: [JSON], _ schema: Int, _ reading: PatternReading, _ depth: Int
  ) throws(GrammarError) -> Bool {
    let joined = try JoinedKeywords([schema], &document)
    guard let counts = joined.itemCounts else { return false }
    if elements.count < counts.min || elements.count > counts.max ?? .max { return false }
    for (index, element) in elements.enumerated() {
      guard try fits(element, elementSchemas(joined, index), reading, depth: depth + 1) else {
        return false
      }
    }
    return true
  }

  private mutating func fits(
    object members: [JSONMember], _ schema: Int, _ reading: PatternReading, _ depth: Int
  ) throws(GrammarError) -> Bool {
    let joined = try JoinedKeywords([schema], &document)
    var values: [ExactText: JSON] = [:]
    for member in members { values[ExactText(member.name)] = member.value }
    guard let counts = joined.propertyCounts else { return false }
    if values.count < counts.min || values.count > counts.max ?? .max { return false }
    if joined.parts[0].required.contains(where: { values[$0] == nil }) { return false }
    for (name, value) in values {
      guard try isName(name, joined, reading, depth: depth + 1),
        try fits(value, memberSchemas(joined, name), reading, depth: depth + 1)
      else { return false }
    }
    return true
  }

  /// Whether `propertyNames` allows a name.
  mutating func isName(
    _ name: ExactText, _ joined: JoinedKeywords, _ reading: PatternReading, depth: Int
  ) throws(GrammarError) -> Bool {
    let schemas = joined.parts.compactMap(\.propertyNames)
    return try fits(.string(name.text), schemas, reading, depth: depth)
  }
}
