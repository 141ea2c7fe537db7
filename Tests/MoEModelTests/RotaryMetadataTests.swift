import Foundation
import MoECore
import MoEKernels
import MoEModel
import Testing

/// What a file's keys say of its rotary embedding.
@Suite struct RotaryMetadataTests {
  /// Keys without the architecture's prefix.
  private struct Keys: MetadataSource {
    var values: [String: MetadataValue]
    var sourceName: String { "keys.gguf" }
    func value(forKey key: String) -> MetadataValue? {
      if key == "general.architecture" { return .string("some") }
      return key.hasPrefix("some.") ? values[String(key.dropFirst(5))] : nil
    }
  }

  private func rotary(
    _ values: [String: MetadataValue], suffix: String = "", truncates: Bool = true,
    factors: RotaryFactors = .none
  ) throws -> RotaryDescription {
    let reader = try ArchitectureReader(metadata: Keys(values: values), tensors: [])
    return try reader.rotary(
      headDimension: 64, pairing: .neox, suffix: suffix, truncatesCorrectionRange: truncates,
      factors: factors)
  }

  private let plain = RotaryDescription(base: 10000, dimension: 64, pairing: .neox)

  @Test func whatIsNotSaidIsAsPublishedFirst() throws {
    #expect(try rotary([:]) == plain)
    let keys: [String: MetadataValue] = [
      "rope.freq_base": .float(5e6), "rope.dimension_count": .unsigned(32),
      "rope.freq_base_swa": .float(1e4), "rope.dimension_count_swa": .unsigned(16),
    ]
    #expect(try rotary(keys) == RotaryDescription(base: 5e6, dimension: 32, pairing: .neox))
    #expect(
      try rotary(keys, suffix: "_swa")
        == RotaryDescription(base: 1e4, dimension: 16, pairing: .neox))
  }

  @Test(arguments: ["none", "linear", "yarn", nil], [0, 1.0])
  func factorOneScalesNothing(_ type: String?, _ factor: Double) throws {
    var keys: [String: MetadataValue] = [
      "rope.scaling.factor": .float(factor), "context_length": .unsigned(100),
    ]
    if let type { keys["rope.scaling.type"] = .string(type) }
    #expect(try rotary(keys) == plain)
  }

  @Test func linearScalingIsReadFromEitherKey() throws {
    var wanted = plain
    wanted.scaling = .linear(factor: 4)
    #expect(try rotary(["rope.scale_linear": .float(4)]) == wanted)
    #expect(
      try rotary(["rope.scaling.type": .string("linear"), "rope.scaling.factor": .float(4)])
        == wanted)
    #expect(
      try rotary(["rope.scaling.type": .string("none"), "rope.scaling.factor": .float(4)])
        == plain)
  }

  @Test func yarnHasThePapersNumbersWhereAFileGivesNone() throws {
    var keys: [String: MetadataValue] = [
      "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float(4),
      "context_length": .unsigned(4096),
    ]
    var wanted = plain
    wanted.scaling = .yarn(YaRNScaling(factor: 4, originalContextLength: 4096))
    wanted.attentionFactor = 0.1 * log(4) + 1
    #expect(try rotary(keys) == wanted)

    keys["rope.scaling.original_context_length"] = .unsigned(512)
    keys["rope.scaling.yarn_beta_fast"] = .float(16)
    keys["rope.scaling.yarn_beta_slow"] = .float(2)
    keys["rope.scaling.yarn_ext_factor"] = .float(1)
    keys["rope.scaling.yarn_attn_factor"] = .float(1.25)
    wanted.scaling = .yarn(
      YaRNScaling(
        factor: 4, originalContextLength: 512, betaFast: 16, betaSlow: 2,
        truncatesCorrectionRange: false))
    wanted.attentionFactor = 1.25
    #expect(try rotary(keys, truncates: false) == wanted)
  }

  /// DeepSeek-V3's files: the whole score is scaled, cosines and sines are not.
  @Test func aLogarithmsMultiplierScalesTheScore() throws {
    let found = try rotary([
      "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float(40),
      "rope.scaling.original_context_length": .unsigned(4096),
      "rope.scaling.yarn_log_multiplier": .float(0.125),
    ])
    #expect(found.attentionFactor == 1)
    #expect(abs(found.scoreFactor - pow(0.125 * log(40) + 1, 2)) < 1e-12)
  }

  @Test func longFactorsComeFromTheirTensors() throws {
    let factors = RotaryFactors.byContext(originalLength: 512)
    var wanted = plain
    wanted.factors = factors
    wanted.attentionFactor = 1.5
    let keys: [String: MetadataValue] = ["rope.scaling.attn_factor": .float(1.5)]
    #expect(try rotary(keys, factors: factors) == wanted)
    let typed = keys.merging(["rope.scaling.type": .string("longrope")]) { $1 }
    #expect(try rotary(typed, factors: factors) == wanted)
  }

  static let refused: [(key: String, value: MetadataValue)] = [
    ("rope.scaling.type", .string("dynamic")), ("rope.scaling.type", .string("longrope")),
    ("rope.scaling.type", .unsigned(2)), ("rope.scaling.factor", .float(-4)),
    ("rope.scaling.factor", .float(.nan)), ("rope.scale_linear", .string("2")),
    ("rope.freq_base", .float(1)), ("rope.freq_base", .float(-1)),
    ("rope.dimension_count", .unsigned(65)), ("rope.dimension_count", .unsigned(7)),
    ("rope.scaling.original_context_length", .unsigned(0)),
    ("rope.scaling.yarn_ext_factor", .float(0.5)), ("rope.scaling.attn_factor", .float(0)),
    ("rope.scaling.yarn_attn_factor", .float(-1)), ("rope.scaling.yarn_beta_fast", .float(0)),
    ("rope.scaling.yarn_beta_slow", .float(.infinity)),
    ("rope.scaling.yarn_log_multiplier", .float(-0.1)),
  ]

  @Test(arguments: refused.indices) func whatCannotBeComputedIsRefused(_ index: Int) throws {
    let (key, value) = Self.refused[index]
    var keys: [String: MetadataValue] = [
      "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float(4),
      "context_length": .unsigned(4096),
    ]
    keys[key] = value
    let error = #expect(throws: ModelError.self) { try rotary(keys) }
    #expect(error?.description.contains("some.\(key)") == true, "\(error as Any)")
  }
}
