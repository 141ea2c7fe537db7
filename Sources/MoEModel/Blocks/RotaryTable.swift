#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
import MoECore
package import MoEKernels

/// Cosines and sines of one rotary embedding for the positions of a step's rows; all layers that
/// have the embedding share them.
package struct RotaryTable: Sendable {
  /// (pair): radians per position, base^(-2 pair / dimension) (RoFormer, arXiv 2104.09864, section
  /// 3), scaled.
  private let frequencies: [Double]
  private let attentionFactor: Double

  /// - Parameter tensors: Those beside the layers, which may have its factors.
  init(_ description: RotaryDescription, factorsIn tensors: LoadedTensors) {
    precondition(!description.factors.areByContext, "a description is adapted to its context")
    let factors = description.factors.role.flatMap { tensors.optionalVector($0) }
    self.init(description, factors: factors?.array() ?? [])
  }

  /// - Parameter factors: (pair): what its frequency is divided by; empty where each is 1.
  package init(_ description: RotaryDescription, factors: [Float] = []) {
    let (base, dimension) = (description.base, description.dimension)
    precondition(factors.isEmpty || factors.count == dimension / 2)
    attentionFactor = description.attentionFactor
    // Rounded to 32 bits as the published models compute them.
    let plain = (0..<dimension / 2).map { pair in
      Double(Float(pow(base, -2 * Double(pair) / Double(dimension))))
    }
    let scaled: [Double]
    switch description.scaling {
    case .linear(let factor) where factor != 1: scaled = plain.map { $0 / factor }
    case .yarn(let yarn) where yarn.factor != 1:
      let shares = yarn.keptShares(base: base, dimension: dimension)
      scaled = zip(plain, shares).map { $0 * $1 + $0 / yarn.factor * (1 - $1) }
    case .none, .linear, .yarn: scaled = plain
    }
    frequencies = scaled.enumerated().map { pair, frequency in
      Double(Float(factors.isEmpty ? frequency : frequency / Double(factors[pair])))
    }
  }

  /// Fills (row, pair) tables; rows may stand at any positions, of one sequence or of several.
  ///
  /// - Parameter position: That of a row, counted from its sequence's start.
  package func fill(cosines: FloatRows, sines: FloatRows, position: (_ row: Int) -> Int) {
    for row in 0..<cosines.rowCount {
      let (cosineRow, sineRow) = (cosines.row(row), sines.row(row))
      let position = Double(position(row))
      for (pair, frequency) in frequencies.enumerated() {
        let angle = position * frequency
        cosineRow[pair] = Float(cos(angle) * attentionFactor)
        sineRow[pair] = Float(sin(angle) * attentionFactor)
      }
    }
  }
}
