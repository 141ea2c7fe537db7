import MoECore

/// Formats with blocks of 32 and one scale each: Q8_0 and Q4_0.
enum SingleScaleBlocks {
  /// The code -128 is left out, so that both signs reach as far.
  static let q8_0 = BlockEncoder(
    "q8_0", type: 8, summary: "8 bits, a scale for 32: as good as what was there.",
    BlockShape(
      elementCount: 32, groupElementCount: 32, codes: 1...255, zero: 128, scaleCodes: nil,
      minimumCodes: nil)
  ) { grid, codes, bytes in
    grid.storeScale(at: 0, bytes)
    // A byte with a sign: the offset turns its highest bit.
    for index in 0..<32 { bytes[2 + index] = codes[index] ^ 128 }
  }

  static let q4_0 = BlockEncoder(
    "q4_0", type: 2, summary: "4 bits, a scale for 32: for rows that K formats do not divide.",
    BlockShape(
      elementCount: 32, groupElementCount: 32, codes: 0...15, zero: 8, scaleCodes: nil,
      minimumCodes: nil)
  ) { grid, codes, bytes in
    grid.storeScale(at: 0, bytes)
    for index in 0..<16 { bytes[2 + index] = codes[index] | codes[16 + index] << 4 }
  }
}
