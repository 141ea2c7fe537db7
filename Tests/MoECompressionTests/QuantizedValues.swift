import MoECompression
import MoEKernels
import MoESynthetic

extension QuantizedWeights {
  /// (row): the weights as they are read.
  var values: [[Float]] {
    (0..<rowCount).map { row in
      if let (levels, digits) = ternaryRow(row) {
        let count = columnCount / levels.count
        return digits.enumerated().map { column, digit in
          let level = levels[column / count]
          let bits = digit == 1 ? level.low : digit == 2 ? level.high : 0
          return Float(bitPattern: UInt32(bits) << 16)
        }
      }
      guard case .blocks(let encoder) = target else { return [] }
      return encoder.format.floats(Array(bytes[row * rowByteCount..<(row + 1) * rowByteCount]))
    }
  }
}
