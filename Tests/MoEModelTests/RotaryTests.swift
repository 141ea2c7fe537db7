import Foundation
import MoECore
import MoEKernels
import MoEModel
import MoETestSupport
import Testing

/// Rotary tables against the papers' formulas in double precision, and the keys that describe them.
@Suite struct RotaryTests {
  /// (pair): factors for long texts, such as published files have.
  private static let someFactors: [Float] = [1, 1.2, 1.8, 3.1, 5, 9, 14, 20]

  /// (row, pair): what a table gives for rows at these positions.
  private func table(
    _ description: RotaryDescription, _ positions: [Int], factors: [Float] = []
  ) throws -> (cosines: [[Float]], sines: [[Float]]) {
    let pairs = description.dimension / 2
    let memory = try RoutedMemory(floatCount: 2 * positions.count * pairs, indexCount: 0)
    defer { withExtendedLifetime(memory) {} }
    let halves = [0, 1].map { half in
      FloatRows(
        memory.floats.slice(half * positions.count * pairs, count: positions.count * pairs),
        rowCount: positions.count, columnCount: pairs)
    }
    RotaryTable(description, factors: factors).fill(cosines: halves[0], sines: halves[1]) {
      positions[$0]
    }
    let rows = halves.map { half in positions.indices.map { half.row($0).array() } }
    return (rows[0], rows[1])
  }

  /// Radians per position by the papers, pair for pair.
  private func frequencies(_ description: RotaryDescription, _ factors: [Float]) -> [Double] {
    let d = Double(description.dimension)
    return (0..<description.dimension / 2).map { i in
      let plain = 1 / pow(description.base, 2 * Double(i) / d)
      let divisor = factors.isEmpty ? 1 : Double(factors[i])
      switch description.scaling {
      case .none: return plain / divisor
      case .linear(let factor): return plain / factor / divisor
      case .yarn(let yarn):
        let length = Double(yarn.originalContextLength)
        func dimension(_ rotations: Double) -> Double {
          d * log(length / (rotations * 2 * .pi)) / (2 * log(description.base))
        }
        let rounds = yarn.truncatesCorrectionRange
        let low = rounds ? floor(dimension(yarn.betaFast)) : dimension(yarn.betaFast)
        let high = rounds ? ceil(dimension(yarn.betaSlow)) : dimension(yarn.betaSlow)
        let (from, to) = (max(low, 0), min(high, d - 1))
        let ramp = min(1, max(0, (Double(i) - from) / (to == from ? 0.001 : to - from)))
        return (ramp * plain / yarn.factor + (1 - ramp) * plain) / divisor
      }
    }
  }

  private func expectDefinition(
    _ description: RotaryDescription, factors: [Float] = [],
    _ positions: [Int] = [0, 1, 2, 17, 199, 4095, 100_000]
  ) throws {
    let (cosines, sines) = try table(description, positions, factors: factors)
    let frequencies = frequencies(description, factors)
    for (row, position) in positions.enumerated() {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(position) * frequency
        // A frequency is rounded to 32 bits twice, and the result once.
        let tolerance = (abs(angle) * 1.3e-7 + 1e-7) * description.attentionFactor
        let factor = description.attentionFactor
        #expect(abs(Double(cosines[row][pair]) - factor * cos(angle)) <= tolerance)
        #expect(abs(Double(sines[row][pair]) - factor * sin(angle)) <= tolerance)
      }
    }
  }

  private static let published: [RotaryDescription] = [
    RotaryDescription(base: 10000, dimension: 128, pairing: .neox),
    // Partial, as GLM-4.5 has it.
    RotaryDescription(base: 1_000_000, dimension: 64, pairing: .neox),
    RotaryDescription(
      base: 10000, dimension: 128, pairing: .interleaved, scaling: .linear(factor: 4)),
    // gpt-oss (arXiv 2508.10925).
    RotaryDescription(
      base: 150_000, dimension: 64, pairing: .neox,
      scaling: .yarn(
        YaRNScaling(
          factor: 32, originalContextLength: 4096, truncatesCorrectionRange: false)),
      attentionFactor: 0.1 * log(32) + 1),
    // Qwen3 with 131,072 positions.
    RotaryDescription(
      base: 1_000_000, dimension: 128, pairing: .neox,
      scaling: .yarn(YaRNScaling(factor: 4, originalContextLength: 32768)),
      attentionFactor: 0.1 * log(4) + 1),
    // DeepSeek-V3 (arXiv 2412.19437, section 4.3).
    RotaryDescription(
      base: 10000, dimension: 64, pairing: .interleaved,
      scaling: .yarn(YaRNScaling(factor: 40, originalContextLength: 4096)), scoreFactor: 1.87),
    // A range of pairs that is a point.
    RotaryDescription(
      base: 10000, dimension: 16, pairing: .neox,
      scaling: .yarn(YaRNScaling(factor: 8, originalContextLength: 4))),
    RotaryDescription(base: 10000, dimension: 16, pairing: .neox, attentionFactor: 1.1055416),
  ]

  @Test(arguments: published.indices) func tablesAreThePapers(_ index: Int) throws {
    let description = Self.published[index]
    try expectDefinition(description)
    let factors = (0..<description.dimension / 2).map { Self.someFactors[$0 % 8] }
    try expectDefinition(description, factors: factors)
  }

  /// Numbers of the published parameters, worked out once by hand, so that no formula is shared.
  @Test func publishedFrequenciesAreKept() throws {
    let vectors: [(index: Int, frequencies: [Int: Double])] = [
      (3, [8: 0.050813274815, 12: 0.00679495948973, 16: 0.000456483919223, 31: 3.02351142e-7]),
      (4, [8: 0.177827941004, 20: 0.0133352143216, 31: 0.000802959727545, 63: 3.102344402e-7]),
    ]
    for (index, frequencies) in vectors {
      let description = Self.published[index]
      let sines = try table(description, [1]).sines[0]
      for (pair, frequency) in frequencies {
        let wanted = sin(frequency) * description.attentionFactor
        #expect(abs(Double(sines[pair]) / wanted - 1) < 1e-6, "\(index), pair \(pair)")
      }
    }
    #expect(abs(YaRNScaling(factor: 32, originalContextLength: 1).attentionFactor - 1.34657) < 1e-5)
    #expect(YaRNScaling(factor: 0.5, originalContextLength: 1).attentionFactor == 1)
  }

  @Test func factorOneScalesNothing() throws {
    let plain = RotaryDescription(base: 150_000, dimension: 64, pairing: .neox)
    let positions = Array(0..<50) + [1 << 20]
    let wanted = try table(plain, positions)
    for scaling in [
      RotaryScaling.linear(factor: 1),
      .yarn(YaRNScaling(factor: 1, originalContextLength: 4096)),
    ] {
      var description = plain
      description.scaling = scaling
      let found = try table(
        description, positions, factors: Array(repeating: 1, count: 32))
      #expect(found.cosines == wanted.cosines && found.sines == wanted.sines)
    }
  }

  /// Gemma's table says so of the pairs that keep their direction.
  @Test func aVeryLargeFactorKeepsAPairStill() throws {
    let description = RotaryDescription(base: 10000, dimension: 4, pairing: .neox)
    let (cosines, sines) = try table(description, [1 << 20], factors: [1, 1e30])
    #expect(cosines[0][1] == 1 && abs(sines[0][1]) < 1e-20)
  }

  @Test func aRowDependsOnItsPositionAlone() throws {
    var generator = SeededGenerator(seed: 5)
    let positions = (0..<40).map { _ in Int(generator.next() % 5000) }
    for description in Self.published {
      let together = try table(description, positions)
      for (row, position) in positions.enumerated() {
        let alone = try table(description, [position])
        #expect(together.cosines[row] == alone.cosines[0])
        #expect(together.sines[row] == alone.sines[0])
      }
    }
  }

  /// The tensor for long texts counts from the first context that is longer than the original one.
  @Test func theContextAskedForDecidesOnTheFactors() throws {
    let original = 32
    for (context, factors) in [(original, RotaryFactors.short), (original + 1, .long)] {
      var model = try EditedModel("phimoe").load().0
      #expect(model.rotaries.map(\.factors) == [.byContext(originalLength: original)])
      model.adapt(toContext: context)
      #expect(model.rotaries.map(\.factors) == [factors])
    }
  }

  @Test func theGoldenModelsScalingIsThePapers() throws {
    let url = try Goldens.require("models/gpt-oss/config.json")
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    let rope = try #require(json["rope_parameters"] as? [String: Any])
    func number(_ key: String) throws -> Double { try #require(rope[key] as? Double) }
    let factor = try number("factor")
    try expectDefinition(
      RotaryDescription(
        base: try number("rope_theta"), dimension: try #require(json["head_dim"] as? Int),
        pairing: .neox,
        scaling: .yarn(
          YaRNScaling(
            factor: factor,
            originalContextLength: Int(try number("original_max_position_embeddings")),
            betaFast: try number("beta_fast"), betaSlow: try number("beta_slow"),
            truncatesCorrectionRange: try #require(rope["truncate"] as? Bool))),
        attentionFactor: 0.1 * log(factor) + 1))
  }
}
