import MoECore
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Activations against Swift's own arithmetic, byte for byte, at every level.
@Suite struct QuantActivationTests {
  struct FormAtLevel: CustomTestStringConvertible, Sendable {
    let form: ActivationForm
    let level: InstructionSet
    var testDescription: String { "\(form) \(level.name)" }

    static let all = ActivationForm.allCases.flatMap { form in
      InstructionSet.allCases.filter { form.hasQuantizer(at: $0) }
        .map { FormAtLevel(form: form, level: $0) }
    }
  }

  private func expectOracle(_ x: [Float], _ argument: FormAtLevel, _ what: String) throws {
    let wanted = RoundedActivations(x, form: argument.form).rowBytes(argument.form, x: x)
    let floats = try AlignedBuffer(byteCount: x.count * 4)
    for (index, value) in x.enumerated() { floats.floats(count: x.count)[index] = value }
    let byteCount = argument.form.rowByteCount(columnCount: x.count)
    #expect(byteCount % 64 == 0 && byteCount >= wanted.count && byteCount < wanted.count + 64)
    let out = try AlignedBuffer(byteCount: byteCount)
    argument.form.quantize(
      floats.floats(count: x.count), into: out.bytes(count: byteCount), at: argument.level)
    let found = out.bytes(count: wanted.count).array()
    // The payload of a NaN is not stated; everything else is.
    #expect(found == wanted, "\(what)")
  }

  @Test(arguments: FormAtLevel.all)
  func roundsAsTheDefinitionSays(_ argument: FormAtLevel) throws {
    for seed in Array(1...50 as ClosedRange<UInt64>).thinned {
      var generator = SeededGenerator(seed: seed)
      let x = (0..<1024).map { _ in
        let exponent = Int(generator.next() % 41) - 20
        return Float(sign: .plus, exponent: exponent, significand: Float(generator.nextGaussian()))
      }
      try expectOracle(x, argument, "seed \(seed)")
    }
  }

  @Test(arguments: FormAtLevel.all)
  func roundsTiesToEven(_ argument: FormAtLevel) throws {
    let halves = (0..<256).map { $0 % 32 == 0 ? Float(127) : Float($0 % 200) / 2 - 50 }
    try expectOracle(halves, argument, "halves below 127")
    try expectOracle(halves.map(-), argument, "and negated")
  }

  @Test(arguments: FormAtLevel.all)
  func takesTheFirstOfEqualMagnitudes(_ argument: FormAtLevel) throws {
    for first in [0, 1, 7, 8, 100, 254] {
      for sign in [-1, 1] as [Float] {
        var x = [Float](repeating: 0.25, count: 256)
        x[first] = 3 * sign
        x[255] = -3 * sign
        try expectOracle(x, argument, "first \(first), sign \(sign)")
      }
    }
  }

  @Test(arguments: FormAtLevel.all)
  func survivesExtremes(_ argument: FormAtLevel) throws {
    let extremes: [Float] = [
      0, -0.0, .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-37, 5e-37, 1e-8, 4e-6, 65504,
      8.3e6, 8.4e6, 1e20, .greatestFiniteMagnitude, .infinity, -.infinity, .nan,
    ]
    for extreme in extremes {
      for other in [0, 1, -extreme / 3] as [Float] {
        var x = [Float](repeating: other, count: 512)
        x[77] = extreme
        try expectOracle(x, argument, "\(extreme) among \(other)")
      }
    }
  }

  @Test(arguments: ActivationForm.allCases)
  func countsTheBytesOfARow(_ form: ActivationForm) {
    let wanted =
      switch form {
      case .f32: [1024, 2048, 8192]
      case .q8_0: [320, 640, 2560]
      case .q8_K: [320, 640, 2368]
      case .q13: [640, 1152, 4224]
      }
    #expect([256, 512, 2048].map { form.rowByteCount(columnCount: $0) } == wanted)
    // A row in 13 bits has a scale and zeros however short it is.
    #expect(form.rowByteCount(columnCount: 0) == (form == .q13 ? 128 : 0))
  }

  /// The decoder keeps one array element for each form.
  @Test func indexesEveryFormByItsPlace() {
    #expect(ActivationForm.allCases.map(\.index) == Array(ActivationForm.allCases.indices))
  }
}
