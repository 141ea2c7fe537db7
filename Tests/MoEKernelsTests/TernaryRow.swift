import MoECore
import MoEKernels
import MoETestSupport

/// Ternary weights as digits, with what they are packed and coded to.
struct TernaryMatrix {
  let columnCount: Int
  /// (row, column)
  let digits: [[UInt8]]
  /// (row): low and high, as bfloat16.
  let levels: [(low: UInt16, high: UInt16)]

  var rowCount: Int { digits.count }

  /// Random digits, of which about a share is zero, and levels.
  init(rowCount: Int, columnCount: Int, zeroShare: Double, seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    self.columnCount = columnCount
    digits = (0..<rowCount).map { _ in
      Self.digits(columnCount, zeroShare: zeroShare, &random)
    }
    levels = (0..<rowCount).map { _ in
      func level() -> UInt16 {
        UInt16(truncatingIfNeeded: Float(0.01 + random.nextUnit()).bitPattern >> 16)
      }
      return (low: 0x8000 | level(), high: level())
    }
  }

  static func digits(
    _ count: Int, zeroShare: Double, _ random: inout SeededGenerator
  ) -> [UInt8] {
    (0..<count).map { _ in
      random.nextUnit() < zeroShare ? 0 : random.nextUnit() < 0.5 ? 1 : 2
    }
  }

  /// (row, column)
  var values: [[Float]] {
    zip(digits, levels).map { digits, levels in
      let values: [Float] = [
        0, Float(bitPattern: UInt32(levels.low) << 16),
        Float(bitPattern: UInt32(levels.high) << 16),
      ]
      return digits.map { values[Int($0)] }
    }
  }

  /// Bytes of the packed rows.
  func packed() throws -> [UInt8] {
    let rowByteCount = QuantFormat.ternary.rowByteCount(columnCount: columnCount)
    let memory = try AlignedBuffer(byteCount: rowCount * rowByteCount)
    for row in 0..<rowCount {
      let own = digits[row]
      TernaryRows.pack(
        own.span, low: levels[row].low, high: levels[row].high,
        into: memory.bytes(atOffset: row * rowByteCount, count: rowByteCount))
    }
    return memory.bytes(count: rowCount * rowByteCount).array()
  }

  /// The coded matrix as products read it, by what `QMoECode` says of its form.
  func coded() throws -> [UInt8] {
    var heads: [UInt8] = []
    var codes: [UInt8] = []
    for row in 0..<rowCount {
      let offset = 8 * (rowCount - row) + codes.count
      heads.append(littleEndian: UInt32(offset))
      heads.append(littleEndian: levels[row].low)
      heads.append(littleEndian: levels[row].high)
      for codeword in try QMoEOracle.codewords(digits[row]) { codes.append(littleEndian: codeword) }
    }
    return heads + codes
  }
}

/// The code by its definition: a greedy parse with a dictionary by its sequences.
enum QMoEOracle {
  /// By the sequence of digits.
  static let dictionary: [[UInt8]: UInt16] = {
    try? QMoECode.prepare()
    return Dictionary(
      uniqueKeysWithValues: (0...UInt16.max).map { (QMoECode.digits(ofCodeword: $0), $0) })
  }()

  /// Takes the longest sequence each time; behind an odd number of digits comes a zero.
  static func codewords(_ digits: [UInt8]) throws -> [UInt16] {
    let padded = digits.count % 2 == 1 ? digits + [0] : digits
    var codewords: [UInt16] = []
    var start = 0
    while start < padded.count {
      var count = min(28, padded.count - start)
      while count > 0 {
        if let codeword = dictionary[Array(padded[start..<start + count])] {
          codewords.append(codeword)
          break
        }
        count -= 2
      }
      guard count > 0 else { throw NoCodeword() }
      start += count
    }
    return codewords
  }

  struct NoCodeword: Error {}
}
