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
    team.rmsNormHeads(
      x.rows(rows, 64, stride: stride), headCount: heads, weight: weight.view, epsilon: 1e-6)
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

  // MARK: - Gated activation

  @Test(arguments: Levels.all)
  func siluIsAccurateOverTheWholeRange(_ level: InstructionSet) throws {
    let values = (0...200_000).map { Float($0 - 100_000) / 800 }  // -125 ... 125
    let (gate, up) = (Floats(values), Floats(count: values.count) { _ in 1 })
    try Levels.team(level).swiglu(gate: gate.rows(1, values.count), up: up.rows(1, values.count))
    for (x, found) in zip(values, gate.array) {
      let wanted = Double(x) / (1 + exp(-Double(x)))
      // Below, exp(-x) overflows a float, and the result is 0 instead of less than 1e-36.
      let tolerance = x > -88 ? abs(wanted) * 2.5e-7 : 1e-36
      #expect(abs(Double(found) - wanted) <= tolerance, "x = \(x)")
    }
  }

  @Test(arguments: columnCounts) func swigluGivesTheSameBitsAtEveryLevel(_ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, stride) = (3, columns + 3)
    let gates = (0..<rows * stride).map { _ in Float(generator.nextGaussian() * 20) }
    let up = Floats(count: rows * stride, offset: 1, random: &generator)
    var results: Set<[UInt32]> = []
    for level in Levels.all {
      let gate = Floats(gates, offset: 3)
      try Levels.team(level).swiglu(
        gate: gate.rows(rows, columns, stride: stride), up: up.rows(rows, columns, stride: stride))
      results.insert(gate.bits)
      for index in 0..<rows * stride where index % stride >= columns {
        #expect(gate.array[index] == gates[index])
      }
      #expect(gate.guardsAreIntact)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all) func swigluKeepsItsLimits(_ level: InstructionSet) throws {
    let gate = Floats([.infinity, -.infinity, .nan, 0, -0.0, 1e30, -1e30, 88.9, -88.9])
    let up = Floats(count: 9) { _ in 2 }
    try Levels.team(level).swiglu(gate: gate.rows(1, 9), up: up.rows(1, 9))
    let found = gate.array
    #expect(found[0] == .infinity && found[2].isNaN)
    // -infinity times exp(-infinity) has no value; the function does not hide that.
    #expect(found[1].isNaN)
    #expect(found[3] == 0 && found[4] == 0)
    #expect(found[5] == 2e30 && found[6] == 0)
    #expect(found[7] == 177.8 && abs(found[8]) < 1e-35)
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
    try Levels.team(level).scatterAdd(
      y.rows(tokens.count, columns, stride: stride), tokens: indices.view, weights: weights.view,
      into: out.rows(4, columns, stride: stride))
    #expect(out.array == wanted)
    #expect(out.guardsAreIntact)
  }
}
