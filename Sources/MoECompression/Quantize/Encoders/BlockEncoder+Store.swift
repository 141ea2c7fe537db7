package import MoECore
import MoEKernels

/// What the packing of every format needs.
extension BlockGrid {
  /// Puts the scale at an offset of a block, as formats have it: 16 bits, the lower byte first.
  func storeScale(at offset: Int, _ bytes: ByteView) {
    Self.store(scale.halfBits, at: offset, bytes)
  }

  func storeMinimum(at offset: Int, _ bytes: ByteView) {
    Self.store(minimum.halfBits, at: offset, bytes)
  }

  private static func store(_ bits: UInt16, at offset: Int, _ bytes: ByteView) {
    bytes[offset] = UInt8(truncatingIfNeeded: bits)
    bytes[offset + 1] = UInt8(bits >> 8)
  }
}

extension BlockEncoder {
  /// Writes a block of a grid; what the format's kernels read is the codes' values, bit for bit.
  package func store(
    _ grid: BlockGrid, codes: Span<UInt8>, into bytes: ByteView
  ) {
    precondition(codes.count == shape.elementCount && bytes.count == format.blockByteCount)
    pack(grid, codes, bytes)
  }
}
