import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Factors on rows, the soft cap, and layer normalisation.
@Suite struct OperationScaleTests {
  @Test(arguments: Levels.all, columnCounts + [1024, 1025])
  func rowsAreScaled(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, stride) = (3, columns + 2)
    let x = Floats(count: rows * stride, offset: 1, random: &generator)
    let factors = Floats(count: rows, offset: 2, random: &generator)
    let wanted = x.array.enumerated().map { index, value in
      index % stride < columns ? value * (1.5 * factors.array[index / stride]) : value
    }
    let matrix = x.rows(rows, columns, stride: stride)
    let team = try Levels.team(level)
    team.scale(matrix, by: 1.5, factors: factors.view)
    #expect(x.array == wanted)
    team.scale(matrix, by: 1)
    #expect(x.array == wanted)
    #expect(x.guardsAreIntact)
  }

  @Test(arguments: Levels.all, columnCounts + [1024, 1025])
  func theSoftCapBends(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let cap: Float = 2.5
    let start = (0..<3 * columns).map { _ in Float(generator.nextGaussian()) * 4 }
    var results: Set<[UInt32]> = []
    for some in [level, .scalar] {
      let x = Floats(start, offset: 3)
      try Levels.team(some).scale(x.rows(3, columns), by: 0.5, softCap: cap)
      for (before, after) in zip(start, x.array) {
        let wanted = Double(cap) * tanh(Double(0.5 * before) / Double(cap))
        #expect(abs(Double(after) - wanted) <= 5e-7 * abs(wanted))
      }
      #expect(x.guardsAreIntact)
      results.insert(x.bits)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all) func whatIsNoNumberStaysSo(_ level: InstructionSet) throws {
    let x = Floats([.nan, .infinity, -.infinity, 0, 1, 2, 3, 4, .nan])
    try Levels.team(level).scale(x.rows(1, 9), by: 1, softCap: 30)
    #expect(x.array[0].isNaN && x.array[8].isNaN)
    #expect(x.array[1] == 30 && x.array[2] == -30 && x.array[3] == 0)
  }

  @Test(arguments: Levels.all, columnCounts)
  func layerNormEqualsItsDefinition(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, xStride, yStride) = (3, columns + 5, columns + 3)
    // Far from zero: the mean is taken away first.
    let x = Floats((0..<rows * xStride).map { _ in 7 + Float(generator.nextGaussian()) })
    let weight = Floats(count: columns, offset: 2, random: &generator)
    let bias = Floats(count: columns, offset: 1, random: &generator)
    var results: Set<[UInt32]> = []
    for some in [level, .scalar] {
      let y = Floats(count: rows * yStride, offset: 3)
      try Levels.team(some).layerNorm(
        x.rows(rows, columns, stride: xStride), weight: weight.view, bias: bias.view,
        epsilon: 1e-5, into: y.rows(rows, columns, stride: yStride))
      for row in 0..<rows {
        let source = x.rows(rows, columns, stride: xStride).row(row).array().map { Double($0) }
        let mean = source.reduce(0, +) / Double(columns)
        let variance = source.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
        let found = y.rows(rows, columns, stride: yStride).row(row).array()
        for column in 0..<columns {
          let normed = (source[column] - mean) / (variance + 1e-5).squareRoot()
          let wanted = normed * Double(weight.array[column]) + Double(bias.array[column])
          #expect(abs(Double(found[column]) - wanted) < 1e-4)
        }
      }
      #expect(y.guardsAreIntact)
      #expect((columns..<yStride).allSatisfy { y.array[$0] == 0 })
      results.insert(y.bits)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all) func layerNormAloneIsThatOfOnesAndZeros(
    _ level: InstructionSet
  ) throws {
    var generator = SeededGenerator(seed: 3)
    let x = Floats(count: 3 * 70, random: &generator)
    let (ones, zeros) = (Floats(count: 70) { _ in 1 }, Floats(count: 70))
    let wanted = Floats(count: 3 * 70)
    let team = try Levels.team(level)
    team.layerNorm(
      x.rows(3, 70), weight: ones.view, bias: zeros.view, epsilon: 1e-6, into: wanted.rows(3, 70))
    team.layerNorm(x.rows(3, 70), weight: nil, bias: nil, epsilon: 1e-6, into: x.rows(3, 70))
    #expect(x.bits == wanted.bits)
  }
}
