import MoECore

/// Damages a valid header in ways that parsers have been caught by.
struct HeaderMutator {
  private let original: [UInt8]
  /// Where counts, types and offsets lie: behind the version, and around every name.
  private let fieldOffsets: [Int]

  /// Values at which counts and offsets overflow, wrap or stand for nothing.
  private static let integers: [UInt64] = [
    0, 1, 2, 3, 7, 31, 32, 33, 255, 65_535, 65_536, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    0x1_0000_0000, 1 << 40, 1 << 60, 1 << 62, 0x7FFF_FFFF_FFFF_FFE0, 0x7FFF_FFFF_FFFF_FFFF,
    1 << 63, 0xFFFF_FFFF_FFFF_FFE0, 0xFFFF_FFFF_FFFF_FFF8, .max,
  ]

  /// `names` are the keys and tensor names in the header.
  init(_ header: [UInt8], names: [String]) {
    original = header
    fieldOffsets = Self.fields(in: header, names: names)
  }

  private static func fields(in header: [UInt8], names: [String]) -> [Int] {
    var offsets = [4, 8, 16]
    var position = 24
    for name in names {
      let bytes = Array(name.utf8)
      while position + bytes.count < header.count,
        !header[position..<position + bytes.count].elementsEqual(bytes)
      {
        position += 1
      }
      let end = position + bytes.count
      offsets += [position - 8, end, end + 4, end + 8, end + 12, end + 20]
      position = end
    }
    return offsets.filter { $0 + 8 <= header.count }
  }

  func mutated(_ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    // Mostly one damage, since of several the first hides the others.
    repeat { mutate(&bytes, &generator) } while generator.next() % 4 == 0
    return bytes
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard bytes.count > 16 else { return }
    func below(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
    let position = below(bytes.count)
    let length = min(1 + below(16), bytes.count - position)
    switch below(8) {
    case 0: bytes[position] ^= 1 << UInt8(below(8))
    case 1: bytes.removeSubrange(position...)
    case 2: bytes.removeSubrange(position..<position + length)
    case 3:
      let inserted = (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      bytes.insert(contentsOf: inserted, at: position)
    case 4, 5:
      let field = fieldOffsets[below(fieldOffsets.count)]
      let value = Self.integers[below(Self.integers.count)]
      write(value, byteCount: [4, 8][below(2)], at: field, &bytes)
    case 6:
      let value = Self.integers[below(Self.integers.count)]
      write(value, byteCount: [1, 2, 4, 8][below(4)], at: position, &bytes)
    default:
      // Exchanges two sections of equal length.
      let other = below(bytes.count)
      for index in 0..<min(64, bytes.count - max(position, other)) {
        bytes.swapAt(position + index, other + index)
      }
    }
  }

  private func write(
    _ value: UInt64, byteCount: Int, at offset: Int, _ bytes: inout [UInt8]
  ) {
    for index in 0..<byteCount where offset + index < bytes.count {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }
}
