/// Typed reading of metadata. What is absent, of another type or out of range is an error that
/// names the file, the key, what was wanted and what was found.
extension MetadataSource {
  /// An integer of either sign in `range`. Here and in the other accessors of single numbers and
  /// truth values, an array whose elements are all the same stands for its element.
  package func requireInteger(
    _ key: String, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> Int {
    guard let value = try optionalInteger(key, in: range) else {
      throw missing(key, wanted: wanted("an integer", in: range))
    }
    return value
  }

  /// Nil where the key is absent.
  package func optionalInteger(
    _ key: String, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> Int? {
    guard let value = try single(key, wanted: wanted("an integer", in: range)) else { return nil }
    guard let integer = value.integer, range.contains(integer) else {
      throw mismatch(key, wanted: wanted("an integer", in: range), found: value)
    }
    return integer
  }

  /// A finite number; whole numbers count.
  package func requireFloat(_ key: String) throws(MetadataError) -> Float {
    guard let value = try optionalFloat(key) else { throw missing(key, wanted: "a number") }
    return value
  }

  /// Nil where the key is absent.
  package func optionalFloat(_ key: String) throws(MetadataError) -> Float? {
    guard let value = try single(key, wanted: "a finite number") else { return nil }
    guard let number = value.number, Float(number).isFinite else {
      throw mismatch(key, wanted: "a finite number", found: value)
    }
    return Float(number)
  }

  package func requireString(_ key: String) throws(MetadataError) -> String {
    guard let value = try optionalString(key) else { throw missing(key, wanted: "a string") }
    return value
  }

  /// Nil where the key is absent.
  package func optionalString(_ key: String) throws(MetadataError) -> String? {
    guard let value = try single(key, wanted: "a string") else { return nil }
    guard case .string(let string) = value else {
      throw mismatch(key, wanted: "a string", found: value)
    }
    return string
  }

  /// Nil where the key is absent.
  package func optionalBool(_ key: String) throws(MetadataError) -> Bool? {
    guard let value = try single(key, wanted: "true or false") else { return nil }
    guard let bool = value.boolean else {
      throw mismatch(key, wanted: "true or false", found: value)
    }
    return bool
  }

  /// An array of any element type.
  package func requireArray(_ key: String) throws(MetadataError) -> MetadataArray {
    guard let value = try optionalArray(key) else { throw missing(key, wanted: "an array") }
    return value
  }

  /// Nil where the key is absent.
  package func optionalArray(_ key: String) throws(MetadataError) -> MetadataArray? {
    guard let value = value(forKey: key) else { return nil }
    guard case .array(let array) = value else {
      throw mismatch(key, wanted: "an array", found: value)
    }
    return array
  }

  /// An array of strings, such as a vocabulary. The strings are bytes that need not be UTF-8.
  package func requireStrings(_ key: String) throws(MetadataError) -> PackedStrings {
    guard let value = try optionalStrings(key) else {
      throw missing(key, wanted: "an array of strings")
    }
    return value
  }

  /// Nil where the key is absent.
  package func optionalStrings(_ key: String) throws(MetadataError) -> PackedStrings? {
    guard let array = try optionalArray(key) else { return nil }
    guard case .strings(let strings) = array else {
      throw mismatch(key, wanted: "an array of strings", found: .array(array))
    }
    return strings
  }

  /// The strings of an array in place, without a copy; nil where the key is absent.
  package func optionalStoredStrings(_ key: String) throws(MetadataError) -> StoredStrings? {
    guard let strings = storedArray(forKey: key)?.strings else {
      guard let value = value(forKey: key) else { return nil }
      throw mismatch(key, wanted: "an array of strings", found: value)
    }
    return strings
  }

  /// Integers, each in `range`; a single one counts as an array of one. Nil where the key is
  /// absent.
  package func optionalIntegers(
    _ key: String, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> [Int]? {
    guard let value = value(forKey: key) else { return nil }
    let wanted = wanted("an array of integers", in: range)
    let found: [Int]? =
      if case .array(let array) = value { array.integers } else { value.integer.map { [$0] } }
    guard let integers = found else { throw mismatch(key, wanted: wanted, found: value) }
    if let outside = integers.first(where: { !range.contains($0) }) {
      throw MetadataError(
        source: sourceName, key: key, wanted: wanted, found: "the element \(outside)")
    }
    return integers
  }

  /// An array of finite numbers; nil where the key is absent.
  package func optionalFloats(_ key: String) throws(MetadataError) -> [Float]? {
    guard let array = try optionalArray(key) else { return nil }
    guard let floats = array.floats, floats.allSatisfy(\.isFinite) else {
      throw mismatch(key, wanted: "an array of finite numbers", found: .array(array))
    }
    return floats
  }

  /// A value that is no array, or the element that an array is full of; nil where the key is
  /// absent. Arrays are not decoded for it: a huge one may stand where a number should.
  private func single(_ key: String, wanted: String) throws(MetadataError) -> MetadataValue? {
    guard let array = storedArray(forKey: key) else { return value(forKey: key) }
    guard let common = array.common else {
      throw MetadataError(source: sourceName, key: key, wanted: wanted, found: array.summary)
    }
    return common
  }

  func wanted(_ noun: String, in range: ClosedRange<Int>) -> String {
    range.upperBound == Int.max
      ? "\(noun) of at least \(range.lowerBound)"
      : "\(noun) from \(range.lowerBound) to \(range.upperBound)"
  }

  func missing(_ key: String, wanted: String) -> MetadataError {
    MetadataError(source: sourceName, key: key, wanted: wanted, found: nil)
  }

  func mismatch(
    _ key: String, wanted: String, found: MetadataValue
  ) -> MetadataError {
    MetadataError(source: sourceName, key: key, wanted: wanted, found: found.summary)
  }
}

extension MetadataArray {
  /// The elements as floats, if they are numbers.
  package var floats: [Float]? {
    switch self {
    case .float(let values): values
    case .double(let values): values.map { Float($0) }
    case .unsigned(let values): values.map { Float($0) }
    case .signed(let values): values.map { Float($0) }
    case .bool, .strings, .nested: nil
    }
  }

  /// The kind of element and their number, for messages.
  package var summary: String { "an array of \(count) \(elementName)" }

  /// What the elements are, in the plural.
  package var elementName: String {
    switch self {
    case .unsigned, .signed: "integers"
    case .float, .double: "numbers"
    case .bool: "booleans"
    case .strings: "strings"
    case .nested: "arrays"
    }
  }
}

extension [UInt8] {
  /// The start of a text with what is not UTF-8 replaced, as much as messages show.
  fileprivate var repaired: String { String(decoding: prefix(320), as: UTF8.self) }
}

extension MetadataValue {
  /// The value in a few words, for messages and listings; long strings are cut.
  package var summary: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): value.quotedForMessage
    case .bytes(let bytes): "text that is not UTF-8, like \(bytes.repaired.quotedForMessage)"
    case .array(let array): array.summary
    }
  }
}
