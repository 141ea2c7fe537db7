import MoECore

/// K formats around 0, whose groups' factors have signs: Q3_K and Q6_K. The kernels' files say
/// where each bit lies.
enum SignedScaleBlocks {
  static let q3_k = BlockEncoder(
    "q3_k", type: 11, summary: "3 bits, 16 in a group with a scale of 6 bits.",
    BlockShape(
      elementCount: 256, groupElementCount: 16, codes: 0...7, zero: 4, scaleCodes: -32...31,
      minimumCodes: nil)
  ) { grid, codes, bytes in
    for lane in 0..<32 {
      var byte: UInt8 = 0
      for run in 0..<8 { byte |= (codes[run * 32 + lane] >> 2) << UInt8(run) }
      bytes[lane] = byte
    }
    MinimumBlocks.storePairsOfBits(codes, at: 32, bytes)
    for index in 0..<12 { bytes[96 + index] = 0 }
    for group in 0..<16 {
      let factor = UInt8(grid.scaleCodes[group] + 32)
      bytes[96 + group % 8] |= (factor & 15) << (group < 8 ? 0 : 4)
      bytes[104 + group % 4] |= (factor >> 4) << UInt8(group / 4 * 2)
    }
    grid.storeScale(at: 108, bytes)
  }

  static let q6_k = BlockEncoder(
    "q6_k", type: 14, summary: "6 bits, 16 in a group with a scale of 8 bits.",
    BlockShape(
      elementCount: 256, groupElementCount: 16, codes: 0...63, zero: 32, scaleCodes: -128...127,
      minimumCodes: nil)
  ) { grid, codes, bytes in
    for half in 0..<2 {
      for lane in 0..<64 {
        let (low, high) = (codes[half * 128 + lane], codes[half * 128 + 64 + lane])
        bytes[half * 64 + lane] = low & 15 | high << 4
      }
      for lane in 0..<32 {
        var byte: UInt8 = 0
        for run in 0..<4 { byte |= (codes[half * 128 + run * 32 + lane] >> 4) << UInt8(2 * run) }
        bytes[128 + half * 32 + lane] = byte
      }
    }
    for group in 0..<16 { bytes[192 + group] = UInt8(bitPattern: Int8(grid.scaleCodes[group])) }
    grid.storeScale(at: 208, bytes)
  }
}
