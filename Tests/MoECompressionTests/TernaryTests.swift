import MoECompression
import MoECore
import MoEKernels
import Testing

/// The three levels of QMoE (arXiv 2310.16795), by the rule as it is published.
@Suite struct TernaryTests {
  private static func grid(_ weights: [Float]) -> TernaryGrid { TernaryGrid(weights.span) }

  @Test func levelsAreTheExtremesOrZero() {
    #expect(Self.grid([0.5, -0.25, 0.1]).high == 0.5 && Self.grid([0.5, -0.25]).low == -0.25)
    #expect(Self.grid([0.5, 0.25]).low == 0 && Self.grid([-0.5, -0.25]).high == 0)
    #expect(Self.grid([0, 0]) == Self.grid([1, -1]))
    // To bfloat16, half to even.
    #expect(Self.grid([1.00390625]).high == 1 && Self.grid([1.01171875]).high == 1.015625)
    #expect(Self.grid([.greatestFiniteMagnitude]).high.isFinite)
  }

  /// w > hi / 2 is high, w < lo / 2 is low, and what is exactly between is zero.
  @Test func comparisonsAreStrict() {
    let grid = Self.grid([1, -2])
    #expect(grid.code(0.5) == 0 && grid.code(0.5.nextUp) == 2 && grid.code(7) == 2)
    #expect(grid.code(-1) == 0 && grid.code((-1.0).nextDown) == 1 && grid.code(-9) == 1)
    #expect(grid.value(0) == 0 && grid.value(1) == -2 && grid.value(2) == 1)
    // A level of 0 has no digit of its own.
    let positive = Self.grid([1, 0.5])
    #expect(positive.code(-0.1) == 0 && positive.code(0) == 0)
  }

  @Test func rowsAreWrittenAsLevelsAndDigits() throws {
    let team = try WorkerTeam(workerCount: 1)
    let weights: [Float] = [0.5, -0.3, 0.2, 0, 0, 0, 0, 0, 4, 1, -1, -0.25]
    let rows = try OwnedRows(weights, columnCount: 4)
    let result = try MatrixQuantizer(team: team, factorizer: CheckedFactorizer(nil, team: team))
      .nearest(rows.rows, as: .ternary()).weights
    let first = try #require(result.ternaryRow(0))
    #expect(Array(first.digits) == [2, 1, 0, 0] && first.levels.count == 1)
    // -0.3 as a bfloat16 is 0xBE9A.
    #expect(first.levels[0].high == 0x3F00 && first.levels[0].low == 0xBE9A)
    let second = try #require(result.ternaryRow(1))
    #expect(Array(second.digits) == [0, 0, 0, 0])
    #expect(second.levels[0].low == 0xBF80 && second.levels[0].high == 0x3F80)
    let third = try #require(result.ternaryRow(2))
    #expect(Array(third.digits) == [2, 0, 1, 0])
    withExtendedLifetime(rows) {}
  }

  @Test func groupsHaveLevelsOfTheirOwn() throws {
    let team = try WorkerTeam(workerCount: 1)
    var weights = [Float](repeating: 0.01, count: 64)
    weights[0] = 8
    weights[40] = -0.03
    let rows = try OwnedRows(weights, columnCount: 64)
    let quantizer = MatrixQuantizer(team: team, factorizer: CheckedFactorizer(nil, team: team))
    let result = try quantizer.nearest(rows.rows, as: .ternary(groupElementCount: 32)).weights
    let row = try #require(result.ternaryRow(0))
    #expect(row.levels.count == 2 && row.levels[0].high == 0x4100)
    #expect(row.digits.prefix(32).count { $0 == 2 } == 1)
    #expect(row.digits.suffix(32).count { $0 == 2 } == 31)
    #expect(throws: QuantizeError.self) {
      try quantizer.nearest(rows.rows, as: .ternary(groupElementCount: 48))
    }
    withExtendedLifetime(rows) {}
  }
}
