import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Models written anew: what stays, what changes, and what interruptions leave.
@Suite struct QuantizedModelTests {
  let folder: TemporaryFolder
  let quantizer: MatrixQuantizer

  init() throws {
    folder = try TemporaryFolder()
    let team = try WorkerTeam(workerCount: 2)
    quantizer = MatrixQuantizer(team: team, factorizer: CheckedFactorizer(nil, team: team))
  }

  func path(_ name: String) -> String { folder.url.appending(path: name).path }

  func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  func encoder(_ name: String) throws -> BlockEncoder {
    try #require(BlockEncoderRegistry.entry(named: name))
  }

  /// A small model whose rows are whole blocks of 256.
  func model(
    _ architecture: SyntheticModel.Architecture = .olmoe, named name: String = "model.gguf"
  ) throws -> String {
    var model = SyntheticModel(architecture)
    model.useWholeBlocks()
    model.expertCount = 4
    try model.write(to: folder.url.appending(path: name))
    return path(name)
  }

  func mix(_ experts: String) throws -> QuantizationMix {
    var mix = QuantizationMix()
    mix.experts = try encoder(experts)
    return mix
  }

  @discardableResult
  func write(
    _ source: QuantizationSource, _ mix: QuantizationMix,
    pruning: ExpertPruning = ExpertPruning(), to name: String = "written.gguf",
    recipe: String = "rtn", cancellation: CancellationFlag? = nil,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in },
    makeExpert: QuantizedModelWriter.ExpertMaker? = nil
  ) throws -> QuantizedModelWriter.Result {
    let plan = try QuantizationPlan(mix, pruning: pruning, of: source)
    let writer = try QuantizedModelWriter(
      source, plan, to: path(name), recipe: recipe, quantizer: quantizer,
      cancellation: cancellation)
    let result = try writer.write(progress: progress, makeExpert: makeExpert)
    #expect(result.byteCount == writer.byteCount)
    #expect(try bytes(path(name)).count == writer.byteCount)
    #expect(!FileManager.default.fileExists(atPath: path(name) + ".part"))
    return result
  }

  /// (tensor): its bytes.
  func tensors(_ file: GGUFFile) throws -> [String: [UInt8]] {
    let content = try file.files.map { try bytes($0.path) }
    return Dictionary(
      uniqueKeysWithValues: file.tensors.map { tensor in
        let extent = tensor.extent
        let all = content[extent.fileIndex]
        return (tensor.name, Array(all[extent.offset..<extent.offset + extent.byteCount]))
      })
  }

  func floats(_ name: String, _ file: GGUFFile, _ tensors: [String: [UInt8]]) throws -> [Float] {
    let tensor = try #require(file.tensor(named: name))
    return try #require(QuantFormat(ggmlType: tensor.formatID)).floats(tensors[name] ?? [])
  }

  /// Entries of two files, those with given keys apart.
  func expectSameEntries(_ first: String, _ second: String, except keys: Set<String>) throws {
    let tables = try [first, second].map { try GGUFEntryTable(path: $0) }
    let contents = try [first, second].map { try bytes($0) }
    let entries = zip(tables, contents).map { table, content in
      table.entries.filter { !keys.contains($0.key) }.map { Array(content[$0.bytes]) }
    }
    #expect(entries[0] == entries[1] && !entries[0].isEmpty)
  }

  @Test(arguments: BlockEncoderRegistry.all.map(\.name))
  func onlyExpertsChange(_ format: String) throws {
    let original = try model()
    let source = try QuantizationSource(modelAt: original)
    try write(source, try mix(format))
    let written = try GGUFFile(path: path("written.gguf"))
    try expectSameEntries(
      original, path("written.gguf"),
      except: ["general.file_type", "general.quantization_version"])
    #expect(written.value(forKey: "general.quantization_version")?.integer == 2)
    let tables = try [original, path("written.gguf")].map { try GGUFEntryTable(path: $0) }
    #expect(tables[0].tensors.map(\.name) == tables[1].tensors.map(\.name))
    #expect(tables[0].tensors.map(\.dimensions) == tables[1].tensors.map(\.dimensions))
    // Each tensor begins where the one before it ends, filled up.
    var end = written.tensors[0].extent.offset
    for tensor in written.tensors {
      #expect(tensor.extent.offset == end)
      end = (end + tensor.extent.byteCount + 31) / 32 * 32
    }
    #expect(end == written.totalByteCount)
    let (before, after) = (try tensors(source.file), try tensors(written))
    for tensor in source.file.tensors {
      let isExpert = tensor.name.contains("_exps.")
      #expect((before[tensor.name] == after[tensor.name]) != isExpert, "\(tensor.name)")
      guard isExpert else { continue }
      #expect(try #require(written.tensor(named: tensor.name)).formatName.lowercased() == format)
      let values = try floats(tensor.name, source.file, before)
      let loss = squaredDifference(values, try floats(tensor.name, written, after))
      #expect(loss < 0.1 * squaredDifference(values, values.map { _ in 0 }))
    }
    _ = try QuantizationSource(modelAt: path("written.gguf"))
  }

  @Test func theFileSaysWhatMostOfItIs() throws {
    let source = try QuantizationSource(modelAt: try model())
    try write(source, try mix("q4_k"))
    #expect(
      try GGUFFile(path: path("written.gguf")).value(forKey: "general.file_type")?.integer == 14)
    // Experts are a small part of this one.
    var other = QuantizationMix()
    other.embedding = try encoder("q8_0")
    other.output = try encoder("q8_0")
    other.attention = try encoder("q6_k")
    try write(source, other)
    let written = try GGUFFile(path: path("written.gguf"))
    #expect(written.tensor(named: "token_embd.weight")?.formatName == "Q8_0")
    #expect(written.tensor(named: "blk.1.attn_q.weight")?.formatName == "Q6_K")
    #expect(written.tensor(named: "blk.1.attn_norm.weight")?.formatName == "F32")
    #expect(written.tensor(named: "blk.1.ffn_gate_inp.weight")?.formatName == "F32")
    #expect(written.tensor(named: "blk.1.ffn_up_exps.weight")?.formatName == "F32")
    #expect(written.value(forKey: "general.file_type") == nil)
  }

  @Test func layersMayDifferAndRowsMayNotFit() throws {
    var small = SyntheticModel(.olmoe)
    small.expertCount = 4
    try small.write(to: folder.url.appending(path: "small.gguf"))
    let source = try QuantizationSource(modelAt: path("small.gguf"))
    var mix = try mix("q2_k")
    mix.layerExperts[1] = try encoder("q6_k")
    let plan = try QuantizationPlan(mix, of: source)
    // Rows of 64 and 32: no format with blocks of 256 divides them.
    #expect(plan.encoders["blk.0.ffn_up_exps.weight"]?.name == "q4_0")
    #expect(plan.encoders["blk.1.ffn_up_exps.weight"]?.name == "q8_0")
    #expect(plan.substitutes.count == 6)
    try write(source, mix)
    let written = try GGUFFile(path: path("written.gguf"))
    #expect(written.tensor(named: "blk.0.ffn_down_exps.weight")?.formatName == "Q4_0")
    #expect(written.tensor(named: "blk.1.ffn_down_exps.weight")?.formatName == "Q8_0")
  }

  /// Every architecture: its experts are found, and the file is read again.
  @Test(arguments: SyntheticModel.Architecture.allCases)
  func everyArchitectureIsWritten(_ architecture: SyntheticModel.Architecture) throws {
    try SyntheticModel(architecture).write(to: folder.url.appending(path: "model.gguf"))
    let source = try QuantizationSource(modelAt: path("model.gguf"))
    var mix = try mix("q4_0")
    mix.dense = try encoder("q8_0")
    mix.attention = try encoder("q8_0")
    let plan = try QuantizationPlan(mix, of: source)
    #expect(plan.encoders.keys.contains { $0.contains("_exps.weight") })
    try write(source, mix)
    let written = try QuantizationSource(modelAt: path("written.gguf"))
    #expect(written.description == source.description)
    for layer in written.experts.routedLayers {
      for part in written.experts.layers[layer].matrices { #expect(part.format.name == "Q4_0") }
    }
  }

  /// What somebody makes of experts is what is written, and each is asked for once.
  @Test func expertsCanBeMadeElsewhere() throws {
    let source = try QuantizationSource(modelAt: try model())
    var mix = try mix("q4_k")
    mix.layerExperts[0] = try encoder("q8_0")
    var asked: [ExpertID] = []
    let plan = try QuantizationPlan(mix, of: source)
    let writer = try QuantizedModelWriter(
      source, plan, to: path("written.gguf"), recipe: "marks", quantizer: quantizer)
    let parts = writer.expertParts
    #expect(parts.count == 8 && parts.values.allSatisfy { Set($0) == [.gate, .up, .down] })
    func byteCount(_ role: ExpertPartRole, _ expert: ExpertID) -> Int {
      let part = source.experts.layers[expert.layer].parts.first { $0.role == role }
      let format = writer.encoder(of: role, expert)?.format
      return (part?.rowCount ?? 0)
        * (format?.rowByteCount(columnCount: part?.columnCount ?? 0) ?? 0)
    }
    _ = try writer.write(makeExpert: { expert throws(QuantizeError) in
      asked.append(expert)
      var made: [ExpertPartRole: [UInt8]] = [:]
      for role in parts[expert] ?? [] {
        let mark = UInt8(expert.layer * 64 + expert.index * 8 + Int(role.number))
        made[role] = [UInt8](repeating: mark, count: byteCount(role, expert))
      }
      return made
    })
    #expect(asked == (0..<2).flatMap { layer in (0..<4).map { ExpertID(layer: layer, index: $0) } })
    let written = try tensors(try GGUFFile(path: path("written.gguf")))
    for (name, layer, role) in [
      ("blk.0.ffn_up_exps.weight", 0, ExpertPartRole.up),
      ("blk.1.ffn_down_exps.weight", 1, .down),
    ] {
      let bytes = try #require(written[name])
      let size = bytes.count / 4
      for expert in 0..<4 {
        let mark = UInt8(layer * 64 + expert * 8 + Int(role.number))
        #expect(bytes[expert * size..<(expert + 1) * size].allSatisfy { $0 == mark })
      }
    }
  }

  /// By GPTQ, through floats, a recorded calibration and the writer.
  @Test func gptqGoesThroughToTheFile() throws {
    let source = try QuantizationSource(modelAt: try model())
    let hiddenSize = source.description.hiddenSize
    let routed = try #require(source.description.layers[0].feedForward?.routed)
    let maker = try ExpertQuantizer(
      hiddenSize: hiddenSize, width: routed.width, activation: routed.activation,
      quantizer: quantizer)
    let floats = try ExpertFloats(source.experts.layers[0])
    let q3 = try encoder("q3_k")
    let rows = try CalibrationRows(
      layer: 0, columnCount: hiddenSize, expertCount: 4, tokenCount: 64,
      memoryByteCount: 1 << 20, folder: nil)
    var made: [QuantizationOutcome] = []
    let make: QuantizedModelWriter.ExpertMaker = { expert throws(QuantizeError) in
      try source.read(expert, into: floats, team: quantizer.team)
      let parts = try maker.quantize(
        floats, index: expert.index, rows: rows,
        targets: [.gate: .blocks(q3), .up: .blocks(q3), .down: .blocks(q3)])
      made += parts.map(\.outcome)
      return Dictionary(uniqueKeysWithValues: parts.map { ($0.role, $0.weights.bytes) })
    }
    try write(source, try mix("q3_k"), recipe: "gptq", makeExpert: make)
    #expect(made.count == 24)
    #expect(made.allSatisfy { $0.method == .nearest(.fewTokens(0, wanted: 16)) })
    let first = try bytes(path("written.gguf"))
    try write(source, try mix("q3_k"))
    #expect(try bytes(path("written.gguf")) == first)
  }
}
