/// Different sequences of numbers, each with a number of its own by which it is found again.
///
/// One buffer for all of them, and a hash table of open addressing.
struct SequenceTable: Sendable {
  private(set) var values: [Int32] = []
  private(set) var ends: [Int32] = []
  private var slots: [Int32]

  private static let empty: Int32 = -1

  init() { slots = Array(repeating: Self.empty, count: 64) }

  var count: Int { ends.count }

  var byteCount: Int { 4 * (values.capacity + ends.capacity + slots.count) }

  @inline(__always)
  func range(of number: Int32) -> Range<Int> {
    (number == 0 ? 0 : Int(ends[Int(number) - 1]))..<Int(ends[Int(number)])
  }

  func sequence(_ number: Int32) -> ArraySlice<Int32> { values[range(of: number)] }

  /// The number of a sequence, and whether it is new.
  mutating func intern(_ sequence: [Int32]) -> (number: Int32, isNew: Bool) {
    var slot = Int(truncatingIfNeeded: Self.hash(sequence)) & (slots.count - 1)
    while slots[slot] != Self.empty {
      let range = range(of: slots[slot])
      if range.count == sequence.count && values[range].elementsEqual(sequence) {
        return (slots[slot], false)
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    let number = Int32(ends.count)
    slots[slot] = number
    values += sequence
    ends.append(Int32(values.count))
    if 2 * ends.count > slots.count { grow() }
    return (number, true)
  }

  private mutating func grow() {
    slots = Array(repeating: Self.empty, count: 2 * slots.count)
    for number in 0..<Int32(ends.count) {
      var slot = Int(truncatingIfNeeded: Self.hash(values[range(of: number)])) & (slots.count - 1)
      while slots[slot] != Self.empty { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = number
    }
  }

  private static func hash(_ sequence: some Collection<Int32>) -> UInt64 {
    var hash = UInt64(sequence.count) &* 0x9E37_79B9_7F4A_7C15
    for value in sequence {
      hash = (hash ^ UInt64(UInt32(bitPattern: value))) &* 0xD6E8_FEB8_6659_FD93
      hash ^= hash >> 32
    }
    return hash
  }
}
