/// What was used lately, within a bound of memory.
///
/// Two generations: what is asked for moves to the young one, and when that has filled half of the
/// bound, the old one is dropped and the young one is the old.
struct RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]
  private var youngByteCount = 0
  private var oldByteCount = 0
  private let byteCountMax: Int
  private let measure: @Sendable (Value) -> Int

  /// - Parameter measure: The bytes of a value.
  init(byteCountMax: Int, measure: @escaping @Sendable (Value) -> Int) {
    self.byteCountMax = byteCountMax
    self.measure = measure
  }

  var byteCount: Int { youngByteCount + oldByteCount }

  mutating func value(_ key: Key) -> Value? {
    if let value = young[key] { return value }
    guard let value = old.removeValue(forKey: key) else { return nil }
    oldByteCount -= cost(value)
    insert(value, for: key)
    return value
  }

  /// A key that isn't there yet.
  mutating func insert(_ value: Value, for key: Key) {
    let cost = cost(value)
    if youngByteCount + cost > byteCountMax / 2 {
      (old, oldByteCount) = (young, youngByteCount)
      (young, youngByteCount) = ([:], 0)
    }
    young[key] = value
    youngByteCount += cost
  }

  mutating func removeAll() {
    (young, old, youngByteCount, oldByteCount) = ([:], [:], 0, 0)
  }

  /// With the dictionary's own share.
  private func cost(_ value: Value) -> Int {
    measure(value) + 2 * (MemoryLayout<Key>.stride + MemoryLayout<Value>.stride + 8)
  }
}
