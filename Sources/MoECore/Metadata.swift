/// The key-value part of a model file, as the modules that read it see it.
///
/// The file format's reader conforms; architectures and tokenizers depend on this alone.
package protocol MetadataSource {
  /// What the values come from, for error messages: usually the file's path.
  var sourceName: String { get }
  /// The value, decoded: an array is made anew each time.
  func value(forKey key: String) -> MetadataValue?
  /// The array under a key as it is stored, without decoding it; nil where there is none.
  func storedArray(forKey key: String) -> StoredArray?
}

extension MetadataSource {
  package func storedArray(forKey key: String) -> StoredArray? {
    guard case .array(let array) = value(forKey: key) else { return nil }
    return StoredArray(array)
  }
}

package enum MetadataValue: Sendable, Equatable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string(String)
  /// Text that is not UTF-8. Files hold paths and names in other encodings, which matter only to
  /// who reads them.
  case bytes([UInt8])
  case array(MetadataArray)

  /// The value as an integer, if it is one of either sign. A whole floating-point number counts:
  /// writers differ in the types that they give their numbers.
  package var integer: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(exactly: value)
    case .float(let value): Int(exactly: value)
    case .bool, .string, .bytes, .array: nil
    }
  }

  /// The value as true or false; the integers 1 and 0 count.
  package var boolean: Bool? {
    switch self {
    case .bool(let value): value
    case .unsigned(0), .signed(0): false
    case .unsigned(1), .signed(1): true
    default: nil
    }
  }

  /// The value itself or, of an array whose elements are all the same number or truth value, that
  /// element: some writers give for each layer what others give once.
  package var single: MetadataValue {
    if case .array(let array) = self { StoredArray(array)?.common ?? self } else { self }
  }

  /// Whether two values say the same, whatever types they are written in.
  package func isEquivalent(to other: MetadataValue) -> Bool {
    let (own, other) = (single, other.single)
    if own == other { return true }
    if let ownNumber = own.number, let number = other.number { return ownNumber == number }
    return own.boolean != nil && own.boolean == other.boolean
  }

  /// The value as a floating-point number; integers count, since files write whole numbers as such.
  package var number: Double? {
    switch self {
    case .float(let value): value
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    default: nil
    }
  }
}

package enum MetadataArray: Sendable, Equatable {
  case unsigned([UInt64])
  case signed([Int64])
  case float([Float])
  case double([Double])
  case bool([Bool])
  case strings(PackedStrings)
  case nested([MetadataArray])

  package var count: Int {
    switch self {
    case .unsigned(let values): values.count
    case .signed(let values): values.count
    case .float(let values): values.count
    case .double(let values): values.count
    case .bool(let values): values.count
    case .strings(let values): values.count
    case .nested(let values): values.count
    }
  }

  /// The elements as integers, if they are integers that fit.
  package var integers: [Int]? {
    switch self {
    case .unsigned(let values):
      values.allSatisfy { $0 <= UInt64(Int.max) } ? values.map { Int($0) } : nil
    case .signed(let values): values.map { Int($0) }
    default: nil
    }
  }

  /// An element that is a number or a truth value; nil where elements are something else.
  func scalar(at index: Int) -> MetadataValue? {
    switch self {
    case .unsigned(let values): .unsigned(values[index])
    case .signed(let values): .signed(values[index])
    case .float(let values): .float(Double(values[index]))
    case .double(let values): .float(values[index])
    case .bool(let values): .bool(values[index])
    case .strings, .nested: nil
    }
  }
}
