#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
import MoECore
import MoEKernels

/// Cosines and sines of the rotary embedding for the positions of one chunk; all layers share them.
struct RotaryTable {
  /// (pair): radians per position, base^(-2 pair / dimension) (RoFormer, arXiv 2104.09864, section
  /// 3).
  private let frequencies: [Double]

  init(_ description: RotaryDescription) {
    frequencies = (0..<description.dimension / 2).map { pair in
      // Rounded to 32 bits as the published models compute them.
      Double(Float(pow(description.base, -2 * Double(pair) / Double(description.dimension))))
    }
  }

  /// Fills (token, pair) tables for positions `position`, `position + 1`, ….
  func fill(cosines: FloatRows, sines: FloatRows, position: Int) {
    for token in 0..<cosines.rowCount {
      let (cosineRow, sineRow) = (cosines.row(token), sines.row(token))
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(position + token) * frequency
        cosineRow[pair] = Float(cos(angle))
        sineRow[pair] = Float(sin(angle))
      }
    }
  }
}
