/// Typed reading of metadata. What is absent, of another type or out of range is an error that
/// names the file, the key, what was wanted and what was found.
extension MetadataSource {
  /// An integer of either sign in `range`.
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
    guard let value = value(forKey: key) else { return nil }
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
    guard let value = value(forKey: key) else { return nil }
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
    guard let value = value(forKey: key) else { return nil }
    guard case .string(let string) = value else {
      throw mismatch(key, wanted: "a string", found: value)
    }
    return string
  }

  /// Nil where the key is absent.
  package func optionalBool(_ key: String) throws(MetadataError) -> Bool? {
    guard let value = value(forKey: key) else { return nil }
    guard case .bool(let bool) = value else {
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

  /// An array of integers, each in `range`; nil where the key is absent.
  package func optionalIntegers(
    _ key: String, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> [Int]? {
    guard let array = try optionalArray(key) else { return nil }
    let wanted = wanted("an array of integers", in: range)
    guard let integers = array.integers else {
      throw mismatch(key, wanted: wanted, found: .array(array))
    }
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

  /// One integer for each of `layerCount` layers: files write either an array with one element per
  /// layer or a single number that holds for all. Nil where the key is absent.
  package func optionalIntegerPerLayer(
    _ key: String, layerCount: Int, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> [Int]? {
    guard case .array(let array) = value(forKey: key) else {
      let single = try optionalInteger(key, in: range)
      return single.map { Array(repeating: $0, count: layerCount) }
    }
    guard array.count == layerCount else {
      throw MetadataError(
        source: sourceName, key: key, wanted: "one integer for each of \(layerCount) layers",
        found: "an array of \(array.count)")
    }
    return try optionalIntegers(key, in: range)
  }

  private func wanted(_ noun: String, in range: ClosedRange<Int>) -> String {
    range.upperBound == Int.max
      ? "\(noun) of at least \(range.lowerBound)"
      : "\(noun) from \(range.lowerBound) to \(range.upperBound)"
  }

  private func missing(_ key: String, wanted: String) -> MetadataError {
    MetadataError(source: sourceName, key: key, wanted: wanted, found: nil)
  }

  private func mismatch(
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

extension MetadataValue {
  /// The value in a few words, for messages and listings; long strings are cut.
  package var summary: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): value.quotedForMessage
    case .array(let array): array.summary
    }
  }
}
