/// The key-value part of a model file, as the modules that read it see it.
///
/// The file format's reader conforms; architectures and tokenizers depend on this alone.
package protocol MetadataSource {
  /// What the values come from, for error messages: usually the file's path.
  var sourceName: String { get }
  func value(forKey key: String) -> MetadataValue?
}

package enum MetadataValue: Sendable, Equatable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string(String)
  case array(MetadataArray)

  /// The value as an integer, if it is one of either sign.
  package var integer: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(exactly: value)
    default: nil
    }
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
}

/// Many strings in one block of bytes: a vocabulary holds some 150,000, and as separate `String`s
/// they would cost several times their text.
package struct PackedStrings: Sendable, Equatable {
  /// UTF-8 of all strings, one after the other.
  package private(set) var bytes: [UInt8] = []
  /// Start of each string in `bytes`, and the end of the last: one more than there are strings.
  package private(set) var offsets: [Int] = [0]

  package init() {}

  package var count: Int { offsets.count - 1 }

  package mutating func reserveCapacity(count: Int, byteCount: Int) {
    offsets.reserveCapacity(count + 1)
    bytes.reserveCapacity(byteCount)
  }

  package mutating func append(_ string: some Collection<UInt8>) {
    bytes.append(contentsOf: string)
    offsets.append(bytes.count)
  }

  /// The same without generics, which are not specialised for callers in other modules: readers
  /// append hundreds of thousands of slices.
  package mutating func append(_ string: ArraySlice<UInt8>) {
    bytes.append(contentsOf: string)
    offsets.append(bytes.count)
  }

  /// The bytes of string `index`; UTF-8 that the file's reader has checked.
  package subscript(index: Int) -> ArraySlice<UInt8> {
    bytes[offsets[index]..<offsets[index + 1]]
  }

  package func string(at index: Int) -> String {
    String(decoding: self[index], as: UTF8.self)
  }
}
