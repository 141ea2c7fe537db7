import MoECore

/// K formats with minima: Q2_K, Q4_K and Q5_K. The kernels' files say where each bit lies.
enum MinimumBlocks {
  static let q2_k = BlockEncoder(
    "q2_k", type: 10, summary: "2 bits, 16 in a group with a scale and a minimum of 4 bits.",
    BlockShape(
      elementCount: 256, groupElementCount: 16, codes: 0...3, zero: 0, scaleCodes: 0...15,
      minimumCodes: 0...15)
  ) { grid, codes, bytes in
    for group in 0..<16 {
      bytes[group] = UInt8(grid.scaleCodes[group]) | UInt8(grid.minimumCodes[group]) << 4
    }
    storePairsOfBits(codes, at: 16, bytes)
    grid.storeScale(at: 80, bytes)
    grid.storeMinimum(at: 82, bytes)
  }

  /// Elements in two halves of four runs of 32: run k of a half has bits 2k and 2k + 1 of the
  /// half's 32 bytes, of each code the lowest two.
  static func storePairsOfBits(
    _ codes: Span<UInt8>, at offset: Int, _ bytes: ByteView
  ) {
    for half in 0..<2 {
      for lane in 0..<32 {
        var byte: UInt8 = 0
        for run in 0..<4 { byte |= (codes[half * 128 + run * 32 + lane] & 3) << UInt8(2 * run) }
        bytes[offset + half * 32 + lane] = byte
      }
    }
  }

  static let q4_k = BlockEncoder(
    "q4_k", type: 12, summary: "4 bits, 32 in a group with a scale and a minimum of 6 bits.",
    BlockShape(
      elementCount: 256, groupElementCount: 32, codes: 0...15, zero: 0, scaleCodes: 0...63,
      minimumCodes: 0...63)
  ) { grid, codes, bytes in
    storeFactors(grid, bytes)
    storeNibbles(codes, at: 16, bytes)
  }

  static let q5_k = BlockEncoder(
    "q5_k", type: 13, summary: "5 bits, 32 in a group with a scale and a minimum of 6 bits.",
    BlockShape(
      elementCount: 256, groupElementCount: 32, codes: 0...31, zero: 0, scaleCodes: 0...63,
      minimumCodes: 0...63)
  ) { grid, codes, bytes in
    storeFactors(grid, bytes)
    for lane in 0..<32 {
      var byte: UInt8 = 0
      for group in 0..<8 { byte |= (codes[group * 32 + lane] >> 4) << UInt8(group) }
      bytes[16 + lane] = byte
    }
    storeNibbles(codes, at: 48, bytes)
  }

  /// Scale and minimum, then eight factors of 6 bits on either in 12 bytes.
  private static func storeFactors(_ grid: BlockGrid, _ bytes: ByteView) {
    grid.storeScale(at: 0, bytes)
    grid.storeMinimum(at: 2, bytes)
    for index in 0..<4 {
      let (scale, otherScale) = (
        UInt8(grid.scaleCodes[index]), UInt8(grid.scaleCodes[index + 4])
      )
      let (minimum, otherMinimum) = (
        UInt8(grid.minimumCodes[index]), UInt8(grid.minimumCodes[index + 4])
      )
      bytes[4 + index] = scale | (otherScale >> 4) << 6
      bytes[8 + index] = minimum | (otherMinimum >> 4) << 6
      bytes[12 + index] = otherScale & 15 | otherMinimum << 4
    }
  }

  /// Groups 2k in the low halves of 32 bytes, 2k + 1 in the high ones.
  private static func storeNibbles(
    _ codes: Span<UInt8>, at offset: Int, _ bytes: ByteView
  ) {
    for pair in 0..<4 {
      for lane in 0..<32 {
        let (even, odd) = (codes[pair * 64 + lane], codes[pair * 64 + 32 + lane])
        bytes[offset + pair * 32 + lane] = even & 15 | odd << 4
      }
    }
  }
}
