import MoECompression
import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// GPTQ against the textbook, brute force and rounding to the nearest values.
@Suite struct GPTQTests {
  private static func quantizer(workerCount: Int = 2) throws -> MatrixQuantizer {
    let team = try WorkerTeam(workerCount: workerCount)
    return MatrixQuantizer(team: team, factorizer: CheckedFactorizer(nil, team: team))
  }

  private static let targets: [WeightTarget] =
    [.ternary(), .ternary(groupElementCount: 32)] + BlockEncoderRegistry.all.map { .blocks($0) }

  static let targetNames = targets.map(\.name)

  private static func target(_ name: String) throws -> WeightTarget {
    try #require(targets.first { $0.name == name })
  }

  private static func gaussian(_ count: Int, seed: UInt64, deviation: Double = 0.05) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float(deviation * random.nextGaussian()) }
  }

  /// Whole numbers that hang together: every column has something of the columns before it.
  private static func correlated(_ rowCount: Int, _ columnCount: Int, seed: UInt64) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<rowCount).flatMap { _ in
      var memory = 0.0
      return (0..<columnCount).map { _ in
        memory = 0.9 * memory + random.nextGaussian()
        return Float((2 * memory).rounded())
      }
    }
  }

  private static func hessian(
    _ rows: [Float], columnCount: Int, _ quantizer: MatrixQuantizer
  ) throws -> Hessian {
    let hessian = try Hessian(columnCount: columnCount, team: quantizer.team)
    let owned = try OwnedRows(rows, columnCount: columnCount)
    withExtendedLifetime(owned) { hessian.add(owned.rows) }
    return hessian
  }

  private static func damped(
    _ hessian: NaiveAlgebra.Matrix, by share: Double
  ) -> NaiveAlgebra.Matrix {
    let mean = hessian.indices.reduce(0) { $0 + hessian[$1][$1] } / Double(hessian.count)
    var damped = hessian
    for index in damped.indices { damped[index][index] += max(share * mean, 1e-6) }
    return damped
  }

  private typealias Result = (weights: QuantizedWeights, outcome: QuantizationOutcome)

  private static func gptq(
    _ weights: [Float], _ hessian: Hessian, _ target: WeightTarget, _ quantizer: MatrixQuantizer,
    tokenCountMin: Int = 1
  ) throws -> Result {
    let rows = try OwnedRows(weights, columnCount: hessian.columnCount)
    var options = GPTQOptions()
    options.tokenCountMin = tokenCountMin
    return try withExtendedLifetime(rows) {
      try quantizer.gptq([rows.rows], hessian, as: target, options: options)[0]
    }
  }

  private static func nearest(
    _ weights: [Float], columnCount: Int, _ target: WeightTarget, _ quantizer: MatrixQuantizer
  ) throws -> Result {
    let rows = try OwnedRows(weights, columnCount: columnCount)
    return try withExtendedLifetime(rows) { try quantizer.nearest(rows.rows, as: target) }
  }

  /// What the textbook is tried with, once for all formats.
  private struct Textbook: Sendable {
    static let columnCount = 512
    static let shared = Textbook()
    let inputs = GPTQTests.correlated(900, columnCount, seed: 1)
    let exact: NaiveAlgebra.Matrix
    let naive: NaiveGPTQ

    init() {
      exact = HessianTests.hessian(inputs, columnCount: Self.columnCount)
      naive = NaiveGPTQ(hessian: GPTQTests.damped(exact, by: 0.1))
    }
  }

  /// Across blocks of 128 columns, and groups that begin within them.
  @Test(arguments: targetNames) func theTextbookSaysTheSame(_ name: String) throws {
    let (target, columnCount, rowCount) = (try Self.target(name), Textbook.columnCount, 5)
    let quantizer = try Self.quantizer()
    let (inputs, exact) = (Textbook.shared.inputs, Textbook.shared.exact)
    let weights = Self.gaussian(rowCount * columnCount, seed: 2)
    let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
    let found = try Self.gptq(weights, hessian, target, quantizer)
    #expect(found.outcome.method == .gptq && found.outcome.tokenCount == 900)

    let naive = Textbook.shared.naive
    var (values, loss, changes) = ([[Float]](), 0.0, 0.0)
    for row in 0..<rowCount {
      let own = Array(weights[row * columnCount..<(row + 1) * columnCount])
      let result = naive.quantize(own, as: target)
      values.append(result.values)
      loss += result.loss
      changes += squaredDifference(own, result.values)
    }
    #expect(found.weights.values == values)
    let mean = exact.indices.reduce(0) { $0 + exact[$1][$1] } / Double(columnCount)
    let wanted = loss - 0.1 * mean * changes
    #expect(abs(found.outcome.loss - wanted) <= 1e-9 * loss, "\(found.outcome.loss) \(wanted)")
  }

  /// The losses that are told are those of the matrices that come out.
  @Test(arguments: targetNames) func lossesAreThoseOfTheResults(_ name: String) throws {
    let (target, columnCount, rowCount) = (try Self.target(name), 256, 6)
    let quantizer = try Self.quantizer()
    let inputs = Self.correlated(600, columnCount, seed: 3)
    let weights = Self.gaussian(rowCount * columnCount, seed: 4)
    let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
    let exact = HessianTests.hessian(inputs, columnCount: columnCount)
    let found = try Self.gptq(weights, hessian, target, quantizer)
    let plain = try Self.nearest(weights, columnCount: columnCount, target, quantizer)
    func differences(_ result: Result?) -> NaiveAlgebra.Matrix {
      let values = result?.weights.values
      return (0..<rowCount).map { row in
        (0..<columnCount).map {
          Double(weights[row * columnCount + $0]) - Double(values?[row][$0] ?? 0)
        }
      }
    }
    let outcome = found.outcome
    for (told, result) in [
      (outcome.loss, found), (outcome.nearestLoss, plain), (outcome.signal, nil as Result?),
    ] {
      let wanted = NaiveAlgebra.loss(differences(result), exact)
      #expect(abs(told - wanted) <= 2e-5 * wanted, "\(told) \(wanted)")
    }
    #expect(plain.outcome.method == .nearest(.chosen))
    let zeroCount = found.weights.values.joined().count { $0 == 0 }
    #expect(abs(outcome.zeroShare * Double(rowCount * columnCount) - Double(zeroCount)) < 0.5)
  }

  /// At 2 and 3 bits there is much to gain, and at none is anything lost.
  @Test(arguments: targetNames) func correlatedInputsGain(_ name: String) throws {
    let (target, columnCount) = (try Self.target(name), 512)
    let quantizer = try Self.quantizer()
    let hessian = try Self.hessian(
      Self.correlated(1200, columnCount, seed: 5), columnCount: columnCount, quantizer)
    let weights = Self.gaussian(16 * columnCount, seed: 6)
    let outcome = try Self.gptq(weights, hessian, target, quantizer).outcome
    #expect(outcome.loss < outcome.nearestLoss)
    if ["ternary", "ternary-32", "q2_k", "q3_k"].contains(name) {
      #expect(outcome.loss < 0.6 * outcome.nearestLoss, "\(outcome.loss / outcome.nearestLoss)")
    }
  }

  /// Without correlations there is nothing to make up for.
  @Test(arguments: targetNames) func withAnIdentityItIsRounding(_ name: String) throws {
    let (target, columnCount) = (try Self.target(name), 512)
    let quantizer = try Self.quantizer()
    var inputs = [Float](repeating: 0, count: columnCount * columnCount)
    for index in 0..<columnCount { inputs[index * columnCount + index] = 3 }
    let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
    let weights = Self.gaussian(8 * columnCount, seed: 7)
    let found = try Self.gptq(weights, hessian, target, quantizer)
    let plain = try Self.nearest(weights, columnCount: columnCount, target, quantizer)
    #expect(found.outcome.method == .gptq && found.weights.bytes == plain.weights.bytes)
  }

  /// All that three columns of three values each can become.
  @Test(arguments: [2, 3, 6]) func noChoiceOfTheLastColumnIsBetter(_ columnCount: Int) throws {
    let quantizer = try Self.quantizer(workerCount: 1)
    var (own, rounded, best) = (0.0, 0.0, 0.0)
    for seed in 0..<60 {
      let inputs = Self.correlated(20, columnCount, seed: UInt64(100 + seed))
      let weights = Self.gaussian(columnCount, seed: UInt64(seed), deviation: 1)
      let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
      let damped = Self.damped(HessianTests.hessian(inputs, columnCount: columnCount), by: 0.1)
      func loss(_ values: [Float]) -> Double {
        NaiveAlgebra.loss([zip(weights, values).map { Double($0) - Double($1) }], damped)
      }
      let values = try Self.gptq(weights, hessian, .ternary(), quantizer).weights.values[0]
      let plain = try Self.nearest(weights, columnCount: columnCount, .ternary(), quantizer)
      let grid = TernaryGrid(weights.span)
      let levels = [grid.low, 0, grid.high]
      let choices = (1...columnCount).reduce([[Float]]([[]])) { choices, _ in
        choices.flatMap { choice in levels.map { choice + [$0] } }
      }
      for level in levels {
        #expect(loss(values) <= loss(values.dropLast() + [level]) * (1 + 1e-9), "seed \(seed)")
      }
      let smallest = choices.map(loss).min() ?? 0
      #expect(smallest <= loss(values) * (1 + 1e-9))
      own += loss(values)
      best += smallest
      rounded += loss(plain.weights.values[0])
    }
    // More than half of what there is to gain.
    #expect(own - best <= 0.5 * (rounded - best), "\(own) of \(rounded), at best \(best)")
  }

  @Test(arguments: targetNames) func companyAndWorkersChangeNothing(_ name: String) throws {
    let (target, columnCount) = (try Self.target(name), 256)
    let inputs = Self.correlated(400, columnCount, seed: 8)
    let matrices = [70, 3, 130].map { Self.gaussian($0 * columnCount, seed: UInt64($0)) }
    func bytes(workerCount: Int, together: Bool) throws -> [[UInt8]] {
      let quantizer = try Self.quantizer(workerCount: workerCount)
      let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
      if !together {
        return try matrices.map { try Self.gptq($0, hessian, target, quantizer).weights.bytes }
      }
      let owned = try matrices.map { try OwnedRows($0, columnCount: columnCount) }
      return try withExtendedLifetime(owned) {
        try quantizer.gptq(owned.map(\.rows), hessian, as: target).map(\.weights.bytes)
      }
    }
    let alone = try bytes(workerCount: 1, together: false)
    #expect(try bytes(workerCount: 1, together: true) == alone)
    #expect(try bytes(workerCount: 3, together: true) == alone)
  }

  @Test func fewTokensAreRoundedFor() throws {
    let quantizer = try Self.quantizer()
    let hessian = try Self.hessian(
      Self.correlated(7, 64, seed: 9), columnCount: 64, quantizer)
    let weights = Self.gaussian(4 * 64, seed: 10)
    let found = try Self.gptq(weights, hessian, .ternary(), quantizer, tokenCountMin: 8)
    let plain = try Self.nearest(weights, columnCount: 64, .ternary(), quantizer)
    #expect(found.outcome.method == .nearest(.fewTokens(7, wanted: 8)))
    #expect(found.weights.bytes == plain.weights.bytes && found.outcome.loss > 0)
    #expect(try Self.gptq(weights, hessian, .ternary(), quantizer).outcome.method == .gptq)
    hessian.clear()
    let none = try Self.gptq(weights, hessian, .ternary(), quantizer)
    #expect(none.outcome.method == .nearest(.fewTokens(0, wanted: 1)) && none.outcome.loss == 0)
  }

  /// Infinite sums have no factor; who asks gets rounded weights and the reason.
  @Test func aHessianWithoutFactorIsRoundedFor() throws {
    let quantizer = try Self.quantizer()
    let inputs = [Float](repeating: 3e38, count: 64 * 32)
    let hessian = try Self.hessian(inputs, columnCount: 32, quantizer)
    let weights = Self.gaussian(4 * 32, seed: 11)
    let found = try Self.gptq(weights, hessian, .ternary(), quantizer)
    guard case .nearest(.factor) = found.outcome.method else {
      Issue.record("\(found.outcome.method)")
      return
    }
    let plain = try Self.nearest(weights, columnCount: 32, .ternary(), quantizer)
    #expect(found.weights.bytes == plain.weights.bytes)
  }

  /// A column that no input has anything in is rounded by itself and disturbs nobody.
  @Test func deadColumnsAreRounded() throws {
    let (columnCount, dead) = (64, [5, 40])
    let quantizer = try Self.quantizer()
    var inputs = Self.correlated(200, columnCount, seed: 12)
    for index in inputs.indices where dead.contains(index % columnCount) { inputs[index] = 0 }
    let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
    var weights = Self.gaussian(6 * columnCount, seed: 13)
    // Levels that no dead column has a part in.
    for row in 0..<6 {
      (weights[row * columnCount], weights[row * columnCount + 1]) = (0.5, -0.5)
    }
    let before = try Self.gptq(weights, hessian, .ternary(), quantizer)
    let plain = try Self.nearest(weights, columnCount: columnCount, .ternary(), quantizer)
    for row in 0..<6 {
      for column in dead {
        #expect(before.weights.values[row][column] == plain.weights.values[row][column])
      }
    }
    for row in 0..<6 { for column in dead { weights[row * columnCount + column] *= -1 } }
    let after = try Self.gptq(weights, hessian, .ternary(), quantizer)
    for row in 0..<6 {
      for column in 0..<columnCount where !dead.contains(column) {
        #expect(before.weights.values[row][column] == after.weights.values[row][column])
      }
    }
  }

  @Test func whatCannotBeWrittenIsNamed() throws {
    let quantizer = try Self.quantizer()
    let encoder = try #require(BlockEncoderRegistry.entry(named: "q4_k"))
    func message(_ weights: [Float], columnCount: Int) -> String {
      do {
        _ = try Self.nearest(weights, columnCount: columnCount, .blocks(encoder), quantizer)
        return ""
      } catch {
        return "\(error)"
      }
    }
    var weights = [Float](repeating: 0, count: 512)
    weights[300] = .nan
    #expect(
      message(weights, columnCount: 256).contains("row 1, column 44: the weight is no finite"))
    weights[300] = -.infinity
    #expect(message(weights, columnCount: 256).contains("no finite number"))
    weights[300] = 70_000
    #expect(message(weights, columnCount: 256).contains("beyond 65504"))
    weights[300] = 0
    #expect(message(weights, columnCount: 128).contains("whole blocks of 256"))
    #expect(message(weights, columnCount: 256).isEmpty)
  }

  /// Nearly singular, huge and tiny: something finite comes out.
  @Test(arguments: ["ternary", "q2_k", "q3_k", "q4_0"])
  func fuzzOfInputsDoesNoHarm(_ name: String) throws {
    let target = try Self.target(name)
    let quantizer = try Self.quantizer()
    let columnCount = 256
    for seed in Fuzz.seeds(12) {
      var random = SeededGenerator(seed: seed)
      let rowCount = Int.random(in: 1...40, using: &random)
      var inputs = Self.correlated(rowCount, columnCount, seed: seed)
      for index in inputs.indices {
        inputs[index] *= [1, 1e-20, 1e15, 0][Int.random(in: 0..<4, using: &random)]
      }
      let hessian = try Self.hessian(inputs, columnCount: columnCount, quantizer)
      let weights = Self.gaussian(
        3 * columnCount, seed: seed, deviation: [1e-9, 1, 1e4][Int(seed % 3)])
      let values = try Self.gptq(weights, hessian, target, quantizer).weights.values
      let isFinite = values.joined().allSatisfy { $0.isFinite }
      #expect(isFinite, "seed \(seed)")
    }
  }
}
