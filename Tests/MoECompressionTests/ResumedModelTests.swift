import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEPlatform
import MoESynthetic
import MoETestSupport
import Testing

extension QuantizedModelTests {
  /// Cut off anywhere, the same command goes on, and the file is the same.
  @Test func whatIsInterruptedIsGoneOnWith() throws {
    let source = try QuantizationSource(modelAt: try model())
    try write(source, try mix("q2_k"), to: "whole.gguf")
    let whole = try bytes(path("whole.gguf"))
    for share in [0.0, 0.2, 0.5, 0.7] {
      let flag = CancellationFlag()
      if share == 0 { flag.cancel() }
      #expect(throws: QuantizeError.self) {
        try write(
          source, try mix("q2_k"), cancellation: flag,
          progress: { if Double($0) >= share * Double($1) { flag.cancel() } })
      }
      #expect(!FileManager.default.fileExists(atPath: path("written.gguf")))
      var first: Int?
      let result = try write(source, try mix("q2_k")) { done, _ in first = first ?? done }
      #expect(try bytes(path("written.gguf")) == whole)
      #expect(share == 0 || result.resumedCount > 0)
      #expect((first ?? 0) > 0 || result.resumedCount == 0)
      try FileManager.default.removeItem(atPath: path("written.gguf"))
    }
  }

  private func interrupt(_ source: QuantizationSource, _ format: String, recipe: String) throws {
    let flag = CancellationFlag()
    #expect(throws: QuantizeError.self) {
      try write(
        source, try mix(format), recipe: recipe, cancellation: flag,
        progress: { if 2 * $0 >= $1 { flag.cancel() } })
    }
  }

  @Test func damagedPiecesAreMadeAgain() throws {
    let source = try QuantizationSource(modelAt: try model())
    try write(source, try mix("q4_0"), to: "whole.gguf")
    try interrupt(source, "q4_0", recipe: "rtn")
    let partial = path("written.gguf.part")
    var bytes = try bytes(partial)
    let plain = try QuantizationPlan(try mix("q4_0"), of: source)
    let place = try #require(
      try GGUFFile(path: path("whole.gguf")).tensor(named: "blk.0.ffn_gate_exps.weight")
    ).extent.offset
    #expect(plain.encoders.count == 6)
    bytes[place + 77] ^= 4
    try Data(bytes).write(to: URL(fileURLWithPath: partial))
    let result = try write(source, try mix("q4_0"))
    #expect(result.resumedCount > 0)
    #expect(try self.bytes(path("written.gguf")) == self.bytes(path("whole.gguf")))
  }

  /// Of another recipe, plan or model nothing is taken over.
  @Test func otherWorkIsNotGoneOnWith() throws {
    let source = try QuantizationSource(modelAt: try model())
    try interrupt(source, "q4_0", recipe: "rtn")
    #expect(try write(source, try mix("q4_0"), recipe: "gptq").resumedCount == 0)
    try interrupt(source, "q4_0", recipe: "rtn")
    #expect(try write(source, try mix("q8_0")).resumedCount == 0)
    try interrupt(source, "q4_0", recipe: "rtn")
    var other = SyntheticModel(.olmoe)
    other.useWholeBlocks()
    other.expertCount = 4
    other.seed = 2
    try other.write(to: folder.url.appending(path: "other.gguf"))
    let otherSource = try QuantizationSource(modelAt: path("other.gguf"))
    #expect(try write(otherSource, try mix("q4_0")).resumedCount == 0)
    // Bytes of anybody.
    try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 * 7) }).write(
      to: URL(fileURLWithPath: path("written.gguf.part")))
    #expect(try write(source, try mix("q4_0")).resumedCount == 0)
  }

  @Test func filesThatAreInTheWayAreNamed() throws {
    let original = try model()
    let source = try QuantizationSource(modelAt: original)
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(message { try write(source, try mix("q4_0"), to: "model.gguf") }.contains("is read"))
    try FileManager.default.createSymbolicLink(
      atPath: path("link.gguf"), withDestinationPath: original)
    #expect(message { try write(source, try mix("q4_0"), to: "link.gguf") }.contains("is read"))
    let other = try #require(try ResumableFile.open(path("written.gguf")))
    #expect(message { try write(source, try mix("q4_0")) }.contains("another program writes"))
    withExtendedLifetime(other) {}
    #expect(
      message { try write(source, try mix("q4_0"), to: "no/where.gguf") }.contains("no/where"))
    #expect(try bytes(original).count == source.file.totalByteCount)
  }

  @Test func aModelThatChangesIsNoticed() throws {
    let original = try model()
    let source = try QuantizationSource(modelAt: original)
    var isChanged = false
    #expect(throws: QuantizeError.self) {
      try write(source, try mix("q4_0")) { _, _ in
        if isChanged { return }
        isChanged = true
        let file = try? FileHandle(forWritingTo: URL(fileURLWithPath: original))
        _ = try? file?.seekToEnd()
        try? file?.write(contentsOf: Data([1]))
        try? file?.close()
      }
    }
    #expect(!FileManager.default.fileExists(atPath: path("written.gguf")))
  }

  @Test func damagedWeightsAreNamed() throws {
    var writer = try GGUFWriter(copyOf: try model())
    let index = try #require(writer.tensors.firstIndex { $0.name == "blk.1.ffn_up_exps.weight" })
    let tensor = writer.tensors[index]
    var content: [UInt8] = []
    try tensor.produce { content += $0 }
    // Expert 2 of four, row 1, column 3.
    let place = content.count / 2 + 4 * (256 + 3)
    content.replaceSubrange(place..<place + 4, with: [0, 0, 0xC0, 0x7F])
    writer.tensors[index] = GGUFWriter.Tensor(
      tensor.name, tensor.type, tensor.shape, bytes: content)
    try writer.write(to: folder.url.appending(path: "damaged.gguf"))
    let source = try QuantizationSource(modelAt: path("damaged.gguf"))
    do {
      try write(source, try mix("q4_k"))
      Issue.record("a weight that is no number was written")
    } catch {
      #expect(
        "\(error)".contains("blk.1.ffn_up_exps.weight of expert 2: row 1, column 3: the weight"))
    }
  }

  /// A split model becomes one file, which is that of the whole model.
  @Test func shardsBecomeOneFile() throws {
    var whole = SyntheticModel(.qwen3moe)
    whole.useWholeBlocks()
    try whole.write(to: folder.url.appending(path: "model.gguf"))
    let shards = try whole.writeShards(count: 3, named: "split", in: folder.url)
    try write(try QuantizationSource(modelAt: path("model.gguf")), try mix("q3_k"), to: "a.gguf")
    try write(try QuantizationSource(modelAt: shards[1].path), try mix("q3_k"), to: "b.gguf")
    #expect(try bytes(path("a.gguf")) == bytes(path("b.gguf")))
  }

  /// Headers that are damaged anywhere are refused or read, and do no harm.
  @Test func fuzzOfHeadersDoesNoHarm() throws {
    let original = try model()
    let content = Array(try bytes(original).prefix(30_000))
    let name = folder.url.appending(path: "fuzz.gguf")
    for seed in Fuzz.seeds(300) {
      var random = SeededGenerator(seed: seed)
      var damaged = content
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let place = Int.random(in: 8..<2_000, using: &random)
        damaged[place] =
          [0, 0xFF, UInt8.random(in: 0...255, using: &random)][
            Int.random(in: 0..<3, using: &random)]
      }
      if seed % 5 == 0 { damaged.removeLast(Int.random(in: 1..<29_000, using: &random)) }
      try Data(damaged).write(to: name)
      let table = try? GGUFEntryTable(path: name.path)
      for entry in table?.entries ?? [] {
        #expect(entry.bytes.upperBound <= damaged.count, "seed \(seed)")
      }
    }
  }
}
