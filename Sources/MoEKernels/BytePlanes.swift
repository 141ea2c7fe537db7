internal import CMoEKernelsInterface
package import MoECore

/// How the bytes of a format's blocks are sorted into planes, each of bytes of one kind: exponents
/// apart from mantissas, scales apart from quants. What is random can then be left as it is, and
/// what isn't be coded.
package struct BytePlanes: Hashable, Sendable {
  package let blockByteCount: Int
  /// Bytes of a block, by plane; each byte in one of them.
  package let planes: [Range<Int>]
  /// Whether blocks are words that are turned left by a bit first: the exponent of a BF16 then has
  /// a byte of its own, the sign lies with the mantissa.
  package let isRotated: Bool

  package init(_ format: QuantFormat) {
    blockByteCount = format.blockByteCount
    isRotated = format.name == "BF16"
    planes = Self.planes(of: format)
  }

  private static func planes(of format: QuantFormat) -> [Range<Int>] {
    let end = format.blockByteCount
    return switch format.name {
    case "BF16", "F16": [0..<1, 1..<2]
    case "F32": [0..<2, 2..<3, 3..<4]
    // A scale of 16 bits, its exponent in the second byte; then quants.
    case "Q4_0", "Q5_0", "Q8_0", "IQ4_NL": [0..<1, 1..<2, 2..<end]
    // Two of these.
    case "Q4_1", "Q5_1": [0..<1, 1..<2, 2..<3, 3..<4, 4..<end]
    case "MXFP4": [0..<1, 1..<end]
    // Scale and minimum of all, 12 bytes of 6-bit scales and minima, quants.
    case "Q4_K", "Q5_K": [0..<4, 4..<16, 16..<end]
    // Quants, 16 scales of 8 bits, the scale of all.
    case "Q6_K": [0..<192, 192..<208, 208..<end]
    default: [0..<end]
    }
  }

  private var isTwoBytes: Bool { blockByteCount == 2 && planes.count == 2 }

  /// Sorts whole blocks; the planes lie one behind the other in `target`, which has as many bytes.
  package func split(_ blocks: ByteView, into target: ByteView) {
    let count = blocks.count / blockByteCount
    precondition(blocks.count == count * blockByteCount && target.count >= blocks.count)
    let source = unsafe UnsafePointer(blocks.pointer.assumingMemoryBound(to: UInt8.self))
    let out = unsafe target.pointer.assumingMemoryBound(to: UInt8.self)
    if isTwoBytes {
      return unsafe moe_planes_split_16(source, count, isRotated ? 1 : 0, out, out + count)
    }
    var end = 0
    for plane in planes {
      unsafe moe_planes_split(
        source, blockByteCount, plane.lowerBound, plane.count, count, out + end)
      end += plane.count * count
    }
  }

  /// Puts blocks together again.
  ///
  /// - Parameter planes: Bytes of a plane, by its number, for as many blocks as fit `blocks`.
  package func join(_ planes: (_ number: Int) -> ByteView, into blocks: ByteView) {
    let count = blocks.count / blockByteCount
    precondition(blocks.count == count * blockByteCount)
    let target = unsafe blocks.pointer.assumingMemoryBound(to: UInt8.self)
    func bytes(_ number: Int) -> UnsafePointer<UInt8> {
      let view = planes(number)
      precondition(view.count >= count * self.planes[number].count)
      return unsafe UnsafePointer(view.pointer.assumingMemoryBound(to: UInt8.self))
    }
    if isTwoBytes {
      return unsafe moe_planes_join_16(bytes(0), bytes(1), count, isRotated ? 1 : 0, target)
    }
    for (number, plane) in self.planes.enumerated() {
      unsafe moe_planes_join(
        bytes(number), blockByteCount, plane.lowerBound, plane.count, count, target)
    }
  }
}

/// CRC-32C (RFC 3720, appendix B.4), by the processor's instruction where it has one.
package enum CRC32C {
  /// - Parameters:
  ///   - crc: Of the bytes before these; 0 for none.
  ///   - isPlain: Whether the instruction is left alone, for comparing.
  package static func checksum(
    _ bytes: ByteView, after crc: UInt32 = 0, isPlain: Bool = false
  ) -> UInt32 {
    unsafe moe_crc32c(
      crc, bytes.pointer.assumingMemoryBound(to: UInt8.self), bytes.count, isPlain ? 1 : 0)
  }

  package static func checksum(_ bytes: [UInt8], after crc: UInt32 = 0) -> UInt32 {
    unsafe bytes.withUnsafeBufferPointer {
      guard let start = $0.baseAddress else { return crc }
      return unsafe moe_crc32c(crc, start, $0.count, 0)
    }
  }
}
