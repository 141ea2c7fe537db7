package import MoECore

/// Metadata in the file's order; arrays stay as the file stores them.
package struct GGUFMetadata: Sendable {
  enum Entry: Sendable {
    case value(MetadataValue)
    case array(StoredArray)
  }

  package private(set) var keys: [String] = []
  private var entries: [String: Entry] = [:]

  /// The value, decoded: an array is made anew each time.
  package subscript(key: String) -> MetadataValue? {
    switch entries[key] {
    case .value(let value): value
    case .array(let array): .array(array.decoded)
    case nil: nil
    }
  }

  /// The array under a key as it is stored; nil where there is none.
  package func storedArray(forKey key: String) -> StoredArray? {
    guard case .array(let array) = entries[key] else { return nil }
    return array
  }

  /// False where the key was there already; the new value has then replaced it.
  mutating func append(_ key: String, _ entry: Entry) -> Bool {
    guard entries.updateValue(entry, forKey: key) == nil else { return false }
    keys.append(key)
    return true
  }

  /// About what the entries take in memory. Keys count twice, in the list and in the table.
  var heldByteCount: Int {
    // A table of a power of two of slots is at least three eighths full.
    let entryByteCount =
      3 * (MemoryLayout<Entry>.stride + MemoryLayout<String>.stride) + MemoryLayout<String>.stride
    return keys.reduce(0) { sum, key in
      sum + entryByteCount + 2 * key.utf8.count + (entries[key]?.heldByteCount ?? 0)
    }
  }
}

extension GGUFMetadata.Entry {
  fileprivate var heldByteCount: Int {
    switch self {
    case .value(.string(let text)): text.utf8.count
    case .value(.bytes(let bytes)): bytes.count
    case .value: 0
    case .array(let array): array.bytes.count
    }
  }
}
