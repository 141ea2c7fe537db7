private import CZlib

/// CRC-32 as zip files and Ethernet use it, over bytes that come in pieces.
package struct CRC32: Sendable {
  package private(set) var value: UInt32 = 0

  package init() {}

  package init(_ bytes: some Collection<UInt8>) { update(bytes) }

  package mutating func update(_ bytes: some Collection<UInt8>) {
    let done: Void? = bytes.withContiguousStorageIfAvailable { bytes in
      unsafe update(UnsafeRawBufferPointer(bytes))
    }
    if done == nil { update(Array(bytes)) }
  }

  package mutating func update(_ bytes: ByteView) {
    unsafe update(UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count))
  }

  private mutating func update(_ bytes: UnsafeRawBufferPointer) {
    // zlib takes a missing pointer for the wish to begin anew.
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    let pointer = unsafe start.assumingMemoryBound(to: UInt8.self)
    value = UInt32(truncatingIfNeeded: unsafe crc32_z(UInt(value), pointer, UInt(bytes.count)))
  }
}

/// FNV-1a of 64 bits: tells texts and models apart, and proves nothing against an attacker.
package struct FNV1a: Sendable, Equatable {
  package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  package init() {}

  package mutating func update(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x100_0000_01B3
  }

  /// Four bytes, the lowest first.
  package mutating func update(_ word: UInt32) {
    for shift in [0 as UInt32, 8, 16, 24] { update(UInt8(truncatingIfNeeded: word >> shift)) }
  }

  package mutating func update(_ bytes: ByteView) {
    for offset in 0..<bytes.count {
      update(unsafe bytes.pointer.load(fromByteOffset: offset, as: UInt8.self))
    }
  }

  /// 16 hexadecimal digits.
  package var text: String { Self.text(value) }

  package static func text(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
