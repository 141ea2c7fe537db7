/// A value that others may hold and change, as Python's lists and dictionaries.
///
/// How deep containers lie in each other is bounded, so that neither printing nor freeing them
/// recurses far. A template can evade the count by changing a container that lies in another; so
/// the interpreter keeps all changed ones until the end and empties them one by one.
class Container {
  private(set) var nesting = 1
  /// Whether the interpreter knows that the container was changed.
  var isRegistered = false

  /// Takes note of a value that comes in.
  final func include(_ value: Value) throws(TemplateError) {
    nesting = max(nesting, value.nesting + 1)
    if nesting > TemplateLimits.nestingMax + 1 {
      throw TemplateError(.limit, "values lie more than \(TemplateLimits.nestingMax) deep")
    }
  }

  func removeAll() {}
}

/// A list's or a tuple's elements.
final class ListObject: Container {
  var elements: [Value]

  init(_ elements: [Value]) throws(TemplateError) {
    self.elements = elements
    super.init()
    for element in elements { try include(element) }
  }

  override func removeAll() { elements = [] }
}

/// Keys and values in the order in which the keys came in; a new value leaves a key in its place.
final class DictObject: Container {
  private(set) var keys: [Value] = []
  private(set) var values: [Value] = []
  private var places: [Key: Int] = [:]

  var count: Int { keys.count }

  func value(for key: Key) -> Value? { places[key].map { values[$0] } }

  func value(named name: Text) -> Value? { value(for: .string(name)) }

  func set(_ keyValue: Value, to value: Value, _ budget: Budget) throws(TemplateError) {
    let key = try Key(keyValue, budget)
    try include(value)
    try include(keyValue)
    if let place = places[key] {
      values[place] = value
    } else {
      places[key] = keys.count
      keys.append(keyValue)
      values.append(value)
    }
  }

  /// Takes a member away, in time linear in their number.
  func remove(_ key: Key) -> (key: Value, value: Value)? {
    guard let place = places.removeValue(forKey: key) else { return nil }
    for (other, otherPlace) in places where otherPlace > place { places[other] = otherPlace - 1 }
    return (keys.remove(at: place), values.remove(at: place))
  }

  override func removeAll() {
    keys = []
    values = []
    places = [:]
  }
}

extension Value {
  /// Whether the value is of a type that keys have; a tuple's elements must be of one as well.
  var canBeKey: Bool {
    switch kind {
    case .null, .bool, .integer, .float, .numeral, .string, .tuple: true
    default: false
    }
  }
}

/// A value as the key of a dictionary: equal numbers are one key, whatever their type.
enum Key: Hashable {
  case null
  case integer(Int)
  case float(Double)
  case numeral(String)
  case string(Text)
  case tuple([Key])

  /// - Parameter budget: pays for the characters, each of which is looked at.
  init(_ value: Value, _ budget: Budget) throws(TemplateError) {
    switch value.kind {
    case .null: self = .null
    case .bool(let bool): self = .integer(bool ? 1 : 0)
    case .integer(let integer): self = .integer(integer)
    case .float(let double): self = Int(exactly: double).map(Key.integer) ?? .float(double)
    case .numeral(let text): self = .numeral(text)
    case .string(let text):
      try budget.step(text.count / 64)
      self = .string(text)
    case .tuple(let list):
      // Tuples of tuples may share their elements, which makes their keys large.
      if list.nesting > 4 {
        throw TemplateError(.unsupported, "a tuple more than four deep as a key")
      }
      var keys: [Key] = []
      try budget.step(list.elements.count)
      for element in list.elements { keys.append(try Key(element, budget)) }
      self = .tuple(keys)
    default: throw TemplateError(.wrongValue, "a value of type \(value.typeName) can't be a key")
    }
  }
}
