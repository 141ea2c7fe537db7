import MoECore

/// Collects the names of members that nobody knows, by their paths without numbers.
final class UnknownFields {
  private(set) var names: Set<String> = []
  /// Names that one request may have remembered, and their bytes: they are a stranger's.
  private static let countMax = 32
  private static let byteCountMax = 100

  func add(_ name: String) {
    guard names.count < Self.countMax else { return }
    names.insert(String(decoding: name.utf8.prefix(Self.byteCountMax), as: UTF8.self))
  }
}

/// The members of an object in a request, asked for by name.
///
/// A member that is null counts as absent. One of the wrong type or out of range is an error that
/// names it by its path, such as `messages[2].content`.
struct RequestFields {
  private let path: String
  private let unknown: UnknownFields
  private let values: [String: JSON]
  private var unread: Set<String>

  /// - Parameter path: Where the object stands in the request; empty: it is the request.
  init(_ json: JSON, at path: String = "", unknown: UnknownFields) throws(APIError) {
    guard case .object(let members) = json else {
      throw .invalid(
        path.isEmpty ? nil : path,
        "\(path.isEmpty ? "the request" : path) must be an object, but is \(json.kind)")
    }
    self.path = path
    self.unknown = unknown
    var values: [String: JSON] = [:]
    for member in members { values[member.name] = member.value }
    self.values = values
    unread = Set(values.keys)
  }

  /// A member's path in the request.
  func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Notes which members nobody has asked for.
  func finish() {
    var generic = ""
    var isNumber = false
    for character in path {
      if character == "[" { isNumber = true }
      if !isNumber || character == "[" || character == "]" { generic.append(character) }
      if character == "]" { isNumber = false }
    }
    for name in unread { unknown.add(generic.isEmpty ? name : "\(generic).\(name)") }
  }

  /// Any value but null.
  mutating func value(_ name: String) -> JSON? {
    unread.remove(name)
    guard let value = values[name], value != .null else { return nil }
    return value
  }

  func wrong(_ name: String, wanted: String, _ found: JSON) -> APIError {
    let path = path(of: name)
    return .invalid(path, "\(path) must be \(wanted), but is \(Self.show(found))")
  }

  private static func show(_ value: JSON) -> String {
    switch value {
    case .bool(let value): "\(value)"
    case .number(let text): text.utf8.count <= 40 ? text : "a long number"
    case .string(let text): text.quotedForMessage
    case .null, .array, .object: value.kind
    }
  }

  mutating func string(_ name: String) throws(APIError) -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.string else { throw wrong(name, wanted: "a string", value) }
    return text
  }

  mutating func bool(_ name: String) throws(APIError) -> Bool? {
    guard let value = value(name) else { return nil }
    guard case .bool(let flag) = value else { throw wrong(name, wanted: "true or false", value) }
    return flag
  }

  mutating func integer(
    _ name: String, in range: ClosedRange<Int> = .min ... .max
  ) throws(APIError) -> Int? {
    guard let value = value(name) else { return nil }
    guard let number = value.wholeNumber, range.contains(number) else {
      throw wrong(name, wanted: "a whole number" + Self.show(range), value)
    }
    return number
  }

  private static func show(_ range: ClosedRange<Int>) -> String {
    switch (range.lowerBound, range.upperBound) {
    case (.min, .max): ""
    case (let least, .max): " from \(least)"
    case (let least, let most): " from \(least) to \(most)"
    }
  }

  mutating func number(
    _ name: String, in range: ClosedRange<Double>
  ) throws(APIError) -> Float? {
    guard let value = value(name) else { return nil }
    guard let number = value.realNumber, range.contains(number), Float(number).isFinite else {
      throw wrong(name, wanted: "a number from \(range.lowerBound) to \(range.upperBound)", value)
    }
    return Float(number)
  }

  mutating func array(_ name: String) throws(APIError) -> [JSON]? {
    guard let value = value(name) else { return nil }
    guard case .array(let elements) = value else { throw wrong(name, wanted: "a list", value) }
    return elements
  }

  /// Strings, given as one or as a list.
  mutating func strings(_ name: String) throws(APIError) -> [String]? {
    guard let value = value(name) else { return nil }
    if let text = value.string { return [text] }
    guard case .array(let elements) = value else {
      throw wrong(name, wanted: "a string or a list of strings", value)
    }
    return try elements.map { element throws(APIError) in
      guard let text = element.string else {
        throw wrong(name, wanted: "a list of strings alone", element)
      }
      return text
    }
  }

  mutating func object(_ name: String) throws(APIError) -> RequestFields? {
    guard let value = value(name) else { return nil }
    return try RequestFields(value, at: path(of: name), unknown: unknown)
  }

  /// One of some words.
  mutating func word(_ name: String, among words: [String]) throws(APIError) -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.string, words.contains(text) else {
      throw wrong(name, wanted: "one of " + words.joined(separator: ", "), value)
    }
    return text
  }

  /// Members that are known and change nothing here.
  mutating func accept(_ names: String...) {
    for name in names { unread.remove(name) }
  }

  /// Refuses a member whose effect can't be given, but for the values with which it has none.
  mutating func refuse(
    _ name: String, unless harmless: JSON..., because reason: String
  ) throws(APIError) {
    guard let value = value(name), !harmless.contains(where: { $0.isSame(as: value) }) else {
      return
    }
    let path = path(of: name)
    throw .unsupported(path, "\(path) is not offered: \(reason)")
  }
}
