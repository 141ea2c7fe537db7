import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Activations against their published definitions, written in double precision.
@Suite struct OperationActivationTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let activation: Activation
    /// (gate, up); the gate is of no account where there is none.
    let definition: @Sendable (Double, Double) -> Double
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "swiGLU", activation: .swiGLU) { silu($0) * $1 },
    Case(name: "geGLU", activation: .geGLU) { gelu($0) * $1 },
    Case(name: "silu", activation: .silu) { silu($1) },
    Case(name: "gelu", activation: .gelu) { gelu($1) },
    Case(name: "relu", activation: .relu) { max($1, 0) },
    Case(name: "reluSquared", activation: .reluSquared) { max($1, 0) * max($1, 0) },
    Case(name: "sigmoid", activation: .sigmoid) { 1 / (1 + exp(-$1)) },
    Case(name: "bilinear", activation: .bilinear) { $0 * $1 },
    Case(name: "sigmoidGated", activation: .sigmoidGated) { $1 / (1 + exp(-$0)) },
    // The published numbers of gpt-oss.
    Case(name: "clamped", activation: .clampedSwiGLU(alpha: 1.702, limit: 7)) {
      let gate = min($0, 7)
      return gate / (1 + exp(-Double(Float(1.702)) * gate)) * (max(-7, min($1, 7)) + 1)
    },
    Case(name: "limited", activation: .limitedSwiGLU(limit: 10, boundsCurve: false)) {
      silu(min($0, 10)) * max(-10, min($1, 10))
    },
    Case(name: "limited curve", activation: .limitedSwiGLU(limit: 7, boundsCurve: true)) {
      min(silu($0), 7) * max(-7, min($1, 7))
    },
  ]

  static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

  static func gelu(_ x: Double) -> Double {
    let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + tanh(inner))
  }

  private func run(
    _ activation: Activation, _ level: InstructionSet, gate: FloatRows, up: FloatRows
  ) throws {
    try Levels.team(level).activate(activation, gate: activation.isGated ? gate : nil, up: up)
  }

  @Test(arguments: cases, Levels.all)
  func activationsEqualTheirDefinition(_ activation: Case, _ level: InstructionSet) throws {
    let values = Array(0...40_000).thinned.map { Float($0 - 20_000) / 200 }  // -100 ... 100
    let ups: [Float] = activation.activation.isGated ? [1, -0.75, 3, 12, -12] : [0]
    for up in ups {
      let gates = Floats(values)
      let others = Floats(activation.activation.isGated ? values.map { _ in up } : values)
      try run(
        activation.activation, level, gate: gates.rows(1, values.count),
        up: others.rows(1, values.count))
      let found = activation.activation.isGated ? gates.array : others.array
      for (x, value) in zip(values, found) {
        let wanted = activation.definition(
          Double(x), activation.activation.isGated ? Double(up) : Double(x))
        // Far to the left, where results vanish, exponents carry the rounding of what they are of.
        let vanishes = x <= -4 && activation.activation.curve != .identity
        let tolerance = vanishes ? 1e-7 * max(1, abs(Double(up))) : abs(wanted) * 1e-6 + 1e-7
        #expect(abs(Double(value) - wanted) <= tolerance, "x = \(x), up = \(up)")
      }
    }
  }

  @Test(arguments: Levels.all)
  func siluIsAccurateOverTheWholeRange(_ level: InstructionSet) throws {
    let values = Array(0...200_000).thinned.map { Float($0 - 100_000) / 800 }  // -125 ... 125
    let (gate, up) = (Floats(values), Floats(count: values.count) { _ in 1 })
    try run(
      .swiGLU, level, gate: gate.rows(1, values.count), up: up.rows(1, values.count))
    for (x, found) in zip(values, gate.array) {
      let wanted = Double(x) / (1 + exp(-Double(x)))
      // Below, exp(-x) overflows a float, and the result is 0 instead of less than 1e-36.
      let tolerance = x > -88 ? abs(wanted) * 2.5e-7 : 1e-36
      #expect(abs(Double(found) - wanted) <= tolerance, "x = \(x)")
    }
  }

  @Test(arguments: cases, columnCounts)
  func activationsGiveTheSameBitsAtEveryLevel(_ activation: Case, _ columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let (rows, stride) = (3, columns + 3)
    let isGated = activation.activation.isGated
    let gates = (0..<rows * stride).map { _ in Float(generator.nextGaussian() * 20) }
    let ups = (0..<rows * stride).map { _ in Float(generator.nextGaussian() * 8) }
    var results: Set<[UInt32]> = []
    for level in Levels.all {
      let (gate, up) = (Floats(gates, offset: 3), Floats(ups, offset: 1))
      try run(
        activation.activation, level, gate: gate.rows(rows, columns, stride: stride),
        up: up.rows(rows, columns, stride: stride))
      let (found, start) = isGated ? (gate, gates) : (up, ups)
      results.insert(found.bits)
      #expect((isGated ? up.array : gate.array) == (isGated ? ups : gates))
      for index in 0..<rows * stride where index % stride >= columns {
        #expect(found.array[index] == start[index])
      }
      #expect(gate.guardsAreIntact && up.guardsAreIntact)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all) func swiGLUKeepsItsLimits(_ level: InstructionSet) throws {
    let gate = Floats([.infinity, -.infinity, .nan, 0, -0.0, 1e30, -1e30, 88.9, -88.9])
    let up = Floats(count: 9) { _ in 2 }
    try run(.swiGLU, level, gate: gate.rows(1, 9), up: up.rows(1, 9))
    let found = gate.array
    #expect(found[0] == .infinity && found[2].isNaN)
    // -infinity times exp(-infinity) has no value; the function does not hide that.
    #expect(found[1].isNaN)
    #expect(found[3] == 0 && found[4] == 0)
    #expect(found[5] == 2e30 && found[6] == 0)
    #expect(found[7] == 177.8 && abs(found[8]) < 1e-35)
  }

  /// A bound must not make a number of what is none.
  @Test(arguments: cases, Levels.all)
  func whatIsNoNumberStaysSo(_ activation: Case, _ level: InstructionSet) throws {
    for (gateValue, upValue) in [(Float.nan, Float(1)), (1, .nan)] {
      if !activation.activation.isGated && !upValue.isNaN { continue }
      // Nine elements: one of them behind the vectors.
      let gate = Floats(count: 9) { _ in gateValue }
      let up = Floats(count: 9) { _ in upValue }
      try run(activation.activation, level, gate: gate.rows(1, 9), up: up.rows(1, 9))
      #expect((activation.activation.isGated ? gate : up).array.allSatisfy { $0.isNaN })
    }
  }
}
