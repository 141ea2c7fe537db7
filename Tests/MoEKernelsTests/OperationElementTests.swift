import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

@Suite struct OperationElementTests {
  // MARK: - Root mean square normalisation

  private func normOracle(_ x: [Float], _ weight: [Float], _ epsilon: Double) -> [Double] {
    let mean = x.map { Double($0) * Double($0) }.reduce(0, +) / Double(x.count)
    return zip(x, weight).map { Double($0) / (mean + epsilon).squareRoot() * Double($1) }
  }

  @Test(arguments: Levels.all, columnCounts)
  func rmsNormEqualsItsDefinition(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, xStride, yStride) = (3, columns + 5, columns + 3)
    let x = Floats(count: rows * xStride, offset: 1, random: &generator)
    let y = Floats(count: rows * yStride, offset: 3)
    let weight = Floats(count: columns, offset: 2, random: &generator)
    try Levels.team(level).rmsNorm(
      x.rows(rows, columns, stride: xStride - 1), weight: weight.view, epsilon: 1e-5,
      into: y.rows(rows, columns, stride: yStride - 1))
    for row in 0..<rows {
      let source = x.rows(rows, columns, stride: xStride - 1).row(row).array()
      let found = y.rows(rows, columns, stride: yStride - 1).row(row).array()
      #expect(relativeError(found, normOracle(source, weight.array, 1e-5)) < 5e-7)
    }
    #expect(y.guardsAreIntact)
    #expect((columns..<yStride - 1).allSatisfy { y.array[$0] == 0 })
  }

  @Test(arguments: Levels.all)
  func rmsNormOfHeadsIsTheSameInPlace(_ level: InstructionSet) throws {
    var generator = SeededGenerator(seed: 7)
    let (rows, heads, width, stride) = (5, 3, 20, 67)
    let x = Floats(count: rows * stride, random: &generator)
    let weight = Floats(count: width, random: &generator)
    let before = x.array
    let team = try Levels.team(level)
    let matrix = x.rows(rows, 64, stride: stride)
    let apart = Floats(count: rows * 61)
    team.rmsNormHeads(
      matrix, headCount: heads, headDimension: width, weight: weight.view, epsilon: 1e-6,
      into: apart.rows(rows, heads * width, stride: 61))
    team.rmsNormHeads(
      matrix, headCount: heads, headDimension: width, weight: weight.view, epsilon: 1e-6,
      into: matrix)
    for row in 0..<rows {
      let range = row * stride..<row * stride + heads * width
      #expect(apart.bits[row * 61..<row * 61 + heads * width] == x.bits[range])
    }
    for index in 0..<rows * stride {
      let (row, column) = (index / stride, index % stride)
      if column >= heads * width { #expect(x.array[index] == before[index]) }
      if column < heads * width && column % width == 0 {
        let source = Floats(Array(before[row * stride + column..<row * stride + column + width]))
        let out = Floats(count: width)
        team.rmsNorm(
          source.rows(1, width), weight: weight.view, epsilon: 1e-6, into: out.rows(1, width))
        #expect(Array(x.bits[index..<index + width]) == out.bits)
      }
    }
  }

  @Test(arguments: Levels.all, columnCounts)
  func rmsNormWithoutAWeightIsThatOfOnes(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let x = Floats(count: 3 * columns, offset: 1, random: &generator)
    let ones = Floats(count: columns) { _ in 1 }
    let (wanted, found) = (Floats(count: 3 * columns), Floats(x.array))
    let team = try Levels.team(level)
    team.rmsNorm(
      x.rows(3, columns), weight: ones.view, epsilon: 1e-6, into: wanted.rows(3, columns))
    team.rmsNorm(x.rows(3, columns), weight: nil, epsilon: 1e-6, into: found.rows(3, columns))
    #expect(found.bits == wanted.bits)
    // The rows as heads of one.
    let heads = x.rows(1, 3 * columns)
    team.rmsNormHeads(
      heads, headCount: 3, headDimension: columns, epsilon: 1e-6, into: heads)
    #expect(x.bits == wanted.bits)
  }

  // MARK: - Sums

  @Test(arguments: Levels.all, columnCounts)
  func addAdds(_ level: InstructionSet, _ count: Int) throws {
    var generator = SeededGenerator(seed: UInt64(count))
    let x = Floats(count: count, offset: 1, random: &generator)
    let y = Floats(count: count, offset: 2, random: &generator)
    let wanted = zip(x.array, y.array).map { $0 + $1 }
    try Levels.team(level).add(y.view, to: x.view)
    #expect(x.array == wanted)
    #expect(x.guardsAreIntact)
  }

  @Test(arguments: Levels.all, columnCounts + [1024, 1025])
  func biasGoesToEachRow(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, stride) = (3, columns + 2)
    let x = Floats(count: rows * stride, offset: 1, random: &generator)
    let bias = Floats(count: columns, offset: 2, random: &generator)
    let wanted = x.array.enumerated().map { index, value in
      index % stride < columns ? value + bias.array[index % stride] : value
    }
    try Levels.team(level).addBias(bias.view, to: x.rows(rows, columns, stride: stride))
    #expect(x.array == wanted)
    #expect(x.guardsAreIntact)
  }

  @Test(arguments: Levels.all, columnCounts)
  func scaledRowsAreAddedFused(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let x = Floats(count: 3 * columns, offset: 1, random: &generator)
    let y = Floats(count: 3 * columns, offset: 3, random: &generator)
    let wanted = zip(x.array, y.array).map { $0.addingProduct(0.37, $1) }
    try Levels.team(level).add(y.rows(3, columns), scale: 0.37, to: x.rows(3, columns))
    #expect(x.array == wanted)
    #expect(x.guardsAreIntact)
  }

  @Test(arguments: columnCounts) func gatedRowsAreAddedByTheirSigmoid(_ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, stride) = (4, columns + 3)
    let start = Floats(count: rows * stride, random: &generator).array
    let y = Floats(count: rows * stride, offset: 1, random: &generator)
    let gates = Floats([0, 9, -3, 9, 200, 9, -200, 9])
    var results: Set<[UInt32]> = []
    for level in Levels.all {
      let x = Floats(start, offset: 2)
      try Levels.team(level).addGated(
        y.rows(rows, columns, stride: stride), gates: gates.rows(rows, 1, stride: 2),
        to: x.rows(rows, columns, stride: stride))
      for index in 0..<rows * stride {
        let sigmoid = 1 / (1 + exp(-Double(gates.array[index / stride * 2])))
        let term = index % stride < columns ? sigmoid * Double(y.array[index]) : 0
        #expect(abs(Double(x.array[index]) - Double(start[index]) - term) < 1e-6)
      }
      #expect(x.guardsAreIntact)
      results.insert(x.bits)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all, columnCounts)
  func scatterAddFusesInTheOrderOfRows(_ level: InstructionSet, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (stride, tokens) = (columns + 2, [2, 0, 2, 2, 1, 0])
    let out = Floats(count: 4 * stride, offset: 1, random: &generator)
    let y = Floats(count: tokens.count * stride, offset: 3, random: &generator)
    let weights = Floats(count: tokens.count, random: &generator)
    var wanted = out.array
    for (row, token) in tokens.enumerated() {
      for column in 0..<columns {
        wanted[token * stride + column].addProduct(
          weights.array[row], y.array[row * stride + column])
      }
    }
    let indices = Indices(tokens)
    let team = try Levels.team(level)
    let (rows, target) = (
      y.rows(tokens.count, columns, stride: stride), out.rows(4, columns, stride: stride)
    )
    team.scatterAdd(rows, tokens: indices.view, weights: weights.view, into: target)
    #expect(out.array == wanted)
    // Without weights each is 1.
    for (row, token) in tokens.enumerated() {
      for column in 0..<columns {
        wanted[token * stride + column] += y.array[row * stride + column]
      }
    }
    team.scatterAdd(rows, tokens: indices.view, weights: nil, into: target)
    #expect(out.array == wanted)
    #expect(out.guardsAreIntact)
  }
}
