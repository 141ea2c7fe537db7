import MoECompression
import MoECore
import MoEKernels
import Testing

/// Sums of products of rows, and what errors cost by them.
@Suite struct HessianTests {
  /// Small whole numbers: all sums of products are exact, in whatever order.
  static func wholeNumbers(_ rowCount: Int, _ columnCount: Int, seed: UInt64) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<rowCount * columnCount).map { _ in Float(Int.random(in: -4...4, using: &random)) }
  }

  static func hessian(_ rows: [Float], columnCount: Int) -> NaiveAlgebra.Matrix {
    var matrix = NaiveAlgebra.identity(columnCount).map { $0.map { _ in 0.0 } }
    for start in stride(from: 0, to: rows.count, by: columnCount) {
      let row = rows[start..<start + columnCount].map { Double($0) }
      for i in 0..<columnCount where row[i] != 0 {
        NaiveAlgebra.add(row[i], row, to: &matrix[i])
      }
    }
    return matrix
  }

  /// In chunks of any size, across the chunks that are multiplied at once.
  @Test(arguments: [(1, 3), (700, 20), (513, 70), (1030, 33)])
  func lossIsThatOfTheNaiveSums(_ rowCount: Int, _ columnCount: Int) throws {
    let values = Self.wholeNumbers(rowCount, columnCount, seed: 1)
    let rows = try OwnedRows(values, columnCount: columnCount)
    let naive = Self.hessian(values, columnCount: columnCount)
    var random = SeededGenerator(seed: 2)
    let differences = (0..<5).map { _ in
      (0..<columnCount).map { _ in Double(Float(random.nextGaussian())) }
    }
    let padded = try Padded(differences)
    for workerCount in [1, 2] {
      let team = try WorkerTeam(workerCount: workerCount)
      let hessian = try Hessian(columnCount: columnCount, team: team)
      for round in 0..<2 {
        hessian.clear()
        var start = 0
        while start < rowCount {
          let count = min(rowCount - start, 1 + (start * 31 + round * 17) % 400)
          hessian.add(rows.rows.rows(start, count: count))
          start += count
        }
        #expect(hessian.tokenCount == rowCount)
        let loss = hessian.loss(padded.rows)
        let wanted = NaiveAlgebra.loss(differences, naive)
        #expect(abs(loss - wanted) <= 1e-5 * wanted)
      }
    }
    withExtendedLifetime((rows, padded)) {}
  }

  @Test func dampingIsAShareOfTheMeanDiagonal() throws {
    let team = try WorkerTeam(workerCount: 1)
    let hessian = try Hessian(columnCount: 2, team: team)
    #expect(hessian.damping(0.1) == 1e-6)
    let rows = try OwnedRows([1, 3, 1, 1], columnCount: 2)
    hessian.add(rows.rows)
    #expect(abs(hessian.damping(0.1) - 0.1 * (2 + 10) / 2) < 1e-12)
    withExtendedLifetime(rows) {}
  }
}

/// Rows with the padding that losses are computed with.
final class Padded {
  private let memory: AlignedBuffer
  let rows: FloatRows

  init(_ values: NaiveAlgebra.Matrix) throws {
    let (rowCount, columnCount) = (values.count, values[0].count)
    let stride = Hessian.rowStride(columnCount: columnCount)
    memory = try AlignedBuffer(byteCount: 4 * rowCount * stride)
    rows = FloatRows(
      memory.floats(count: rowCount * stride), rowCount: rowCount, columnCount: columnCount,
      stride: stride)
    for (row, values) in values.enumerated() { rows.row(row).copy(from: values.map { Float($0) }) }
  }
}
