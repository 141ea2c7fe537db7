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
