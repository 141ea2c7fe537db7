internal import MoECore

/// A schema and the schemas in it, each read when it is asked for.
struct SchemaDocument {
  private struct Source {
    var value: JSON
    /// As a URI fragment.
    var pointer: String
    /// The schema that references within it start from.
    var resource: Int
  }

  private var sources: [Source] = []
  private var numbers: [ExactText: Int] = [:]
  private var read: [Int: SchemaKeywords] = [:]
  private var choiceCount = 0

  /// The schema as a whole has the number 0.
  init(_ schema: JSON) { sources.append(Source(value: schema, pointer: "#", resource: 0)) }

  func pointer(of schema: Int) -> String { sources[schema].pointer }

  func place(of schema: Int) -> GrammarError.Place { .schema(sources[schema].pointer) }

  mutating func keywords(of schema: Int) throws(GrammarError) -> SchemaKeywords {
    if let known = read[schema] { return known }
    let source = sources[schema]
    var reader = SchemaReader(pointer: source.pointer)
    let keywords = try reader.keywords(of: source.value) {
      (request) throws(GrammarError) -> Int in
      switch request {
      case .child(let value, let pointer):
        return try number(of: value, at: pointer, in: source.resource)
      case .reference(let reference): return try resolve(reference, from: schema)
      case .choice:
        choiceCount += 1
        return choiceCount
      }
    }
    read[schema] = keywords
    return keywords
  }

  private mutating func number(
    of value: JSON, at pointer: String, in resource: Int
  ) throws(GrammarError) -> Int {
    if let known = numbers[ExactText(pointer)] { return known }
    if sources.count >= GrammarLimits.ruleCountMax {
      throw GrammarError(
        .limit, "the schema has more than \(GrammarLimits.ruleCountMax) schemas in it")
    }
    let number = sources.count
    numbers[ExactText(pointer)] = number
    let hasOwnName = if case .string = value["$id"] { true } else { false }
    sources.append(
      Source(value: value, pointer: pointer, resource: hasOwnName ? number : resource))
    return number
  }

  /// The schema that `$ref` means: one of the same document, by a JSON pointer.
  private mutating func resolve(
    _ reference: String, from schema: Int
  ) throws(GrammarError) -> Int {
    let place = place(of: schema)
    var resource = sources[schema].resource
    guard reference.hasPrefix("#"), let path = Self.path(reference.dropFirst()) else {
      throw GrammarError(
        .unsupported,
        "$ref is \(reference.quotedForMessage); only schemas of the same document can be referred "
          + "to, as in \"#/$defs/name\"", at: place)
    }
    var value = sources[resource].value
    var pointer = sources[resource].pointer
    if path.isEmpty { return resource }
    for (index, step) in path.enumerated() {
      guard let next = Self.step(into: value, by: step) else {
        throw GrammarError(
          .syntax, "$ref is \(reference.quotedForMessage), and there is no such place", at: place)
      }
      value = next
      pointer += "/" + SchemaReader.escaped(step)
      if index + 1 < path.count, case .string = value["$id"] {
        resource = try number(of: value, at: pointer, in: resource)
      }
    }
    return try number(of: value, at: pointer, in: resource)
  }

  /// The names of a fragment that is a JSON pointer (RFC 6901); nil where it is none.
  private static func path(_ fragment: Substring) -> [String]? {
    if fragment.isEmpty { return [] }
    guard let text = percentDecoded(fragment), text.hasPrefix("/") else { return nil }
    return text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
      String($0).replacing("~1", with: "/").replacing("~0", with: "~")
    }
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func step(into value: JSON, by name: String) -> JSON? {
    switch value {
    case .object(let members):
      members.last { ExactText($0.name) == ExactText(name) }?.value
    case .array(let elements):
      Int(name).flatMap { elements.indices.contains($0) && "\($0)" == name ? elements[$0] : nil }
    default: nil
    }
  }
}
