import Foundation
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Files of other tools that call a family, its tensors or its sizes by other names: the same model
/// gives the same bits.
@Suite struct OtherNamesTests {
  /// A family and a name that files have for it.
  struct Names: Sendable, CustomTestStringConvertible {
    let family: String
    let name: String
    var testDescription: String { "\(name) as \(family)" }
  }

  /// Of every family that has other names, of itself or of tensors: each alias, or itself.
  static let all = ArchitectureRegistry.all.flatMap { entry -> [Names] in
    let names = entry.tensorNames
    if entry.aliases.isEmpty && names.others.isEmpty && names.leftOut.isEmpty { return [] }
    return (entry.aliases.isEmpty ? [entry.name] : entry.aliases).map {
      Names(family: entry.name, name: $0)
    }
  }

  /// What ollama's files say otherwise, or not at all, keys without the architecture's prefix: by
  /// its published converters, and its own account of the files that it has published.
  private static let otherValues: [String: [String: GGUFValue?]] = [
    "gptoss": ["rope.scaling.type": nil],
    // The sizes of heads under the keys of what is kept, and the other way round.
    "glm4moelite": [
      "attention.head_count_kv": .uint32(4), "attention.key_length": .uint32(16),
      "attention.value_length": .uint32(16), "attention.key_length_mla": .uint32(32),
      "attention.value_length_mla": .uint32(24),
    ],
    "qwen35moe": [
      "full_attention_interval": nil,
      "attention.head_count_kv": .array([0, 2, 0, 2].map { .uint32($0) }),
    ],
    "qwen3next": [
      "full_attention_interval": nil,
      "attention.head_count_kv": .array([0, 2, 0, 2].map { .uint32($0) }),
    ],
  ]

  /// A file of a family as another tool would write it, from one that has our names.
  private func renamed(_ path: String, _ names: Names) throws -> GGUFWriter {
    let entry = try #require(ArchitectureRegistry.entry(named: names.family))
    var writer = try GGUFWriter(copyOf: path)
    let prefix = names.family + "."
    writer.metadata = writer.metadata.map { key, value in
      (key.hasPrefix(prefix) ? names.name + "." + key.dropFirst(prefix.count) : key, value)
    }
    writer.set("general.architecture", .string(names.name))
    for (key, value) in Self.otherValues[names.name] ?? [:] {
      let key = "\(names.name).\(key)"
      if let value { writer.set(key, value) } else { writer.metadata.removeAll { $0.key == key } }
    }
    for (other, own) in entry.tensorNames.others {
      for index in writer.tensors.indices {
        let name = writer.tensors[index].name
        if name.hasPrefix("blk.") && name.hasSuffix("." + own) {
          writer.tensors[index].name = name.dropLast(own.count) + other
        }
      }
    }
    for start in entry.tensorNames.leftOut {
      writer.tensors.append(
        GGUFWriter.Tensor(start + "0.weight", .f32, [4], bytes: Array(repeating: 0, count: 16)))
    }
    return writer
  }

  private func logits(_ model: SimulatedModel) throws -> [UInt32] {
    let team = try WorkerTeam(workerCount: 1)
    let experts = try ResidentExperts(
      model.tensors.experts,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 4), files: model.files),
      team: team)
    let decoder = try model.decoder(
      experts, team: team, chunk: 24, contextLength: 64, kvType: .f16)
    return try decoder.withSequence { sequence in
      try decoder.forward((0..<24).map { $0 * 37 % 509 }, of: sequence, phase: .prefill)
      return decoder.lastLogits().array().map(\.bitPattern)
    }
  }

  @Test(arguments: all) func otherNamesMeanTheSameModel(_ names: Names) throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "own.gguf")
    try SyntheticModel(.init(rawValue: names.family)).write(to: url)
    let own = try SimulatedModel([[UInt8](Data(contentsOf: url))])
    let writer = try renamed(url.path, names)
    let other = try SimulatedModel([writer.bytes()])
    #expect(other.description == own.description)
    #expect(other.description.architecture == names.family)
    #expect(try logits(other) == logits(own))
    withExtendedLifetime(folder) {}
  }

  @Test func thereAreSuchNames() {
    let names = Set(Self.all.map(\.name))
    #expect(names.isSuperset(of: ["gptoss", "glm4moelite", "nemotron_h_omni", "gemma4"]))
    #expect(names.isSuperset(of: Self.otherValues.keys))
    let known = ArchitectureRegistry.all.flatMap { [$0.name] + $0.aliases }
    #expect(Set(known).count == known.count, "a name means one family")
  }

  /// The first `gptoss` files have rows of gates and ups in turn, which no description says.
  @Test func gatesAndUpsInTurnAreRefused() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "own.gguf")
    try SyntheticModel(.init(rawValue: "gpt-oss")).write(to: url)
    var writer = try renamed(url.path, Names(family: "gpt-oss", name: "gptoss"))
    for index in writer.tensors.indices
    where writer.tensors[index].name.hasSuffix("ffn_gate_exps.weight") {
      let gate = writer.tensors[index]
      writer.tensors[index] = GGUFWriter.Tensor(
        gate.name.replacing("gate_exps", with: "gate_up_exps"), gate.type,
        [gate.shape[0], 2 * gate.shape[1], gate.shape[2]],
        bytes: Array(repeating: 0, count: 2 * gate.byteCount))
    }
    let error = #expect(throws: ModelError.self) { try SimulatedModel([writer.bytes()]) }
    guard case .unexpectedTensor("blk.0.ffn_gate_up_exps.weight", "gptoss", _) = error else {
      Issue.record("\(error as Any)")
      return
    }
    withExtendedLifetime(folder) {}
  }

  /// A tensor under either name is one too many.
  @Test func aTensorUnderBothNamesIsRefused() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "own.gguf")
    try SyntheticModel(.init(rawValue: "gpt-oss")).write(to: url)
    var writer = try GGUFWriter(copyOf: url.path)
    var copy = try #require(writer.tensors.first { $0.name == "blk.0.attn_sinks.weight" })
    copy.name = "blk.0.attn_sinks"
    writer.tensors.append(copy)
    let error = #expect(throws: ModelError.self) { try SimulatedModel([writer.bytes()]) }
    guard case .unexpectedTensor("blk.0.attn_sinks", "gpt-oss", _) = error else {
      Issue.record("\(error as Any)")
      return
    }
    withExtendedLifetime(folder) {}
  }
}
