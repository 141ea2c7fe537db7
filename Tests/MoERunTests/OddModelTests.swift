import Foundation
import MoESynthetic
import MoETestSupport
import Testing

/// Model files that are written in other ways than the usual one give the usual one's text.
@Suite struct OddModelTests {
  private static let prefix = "qwen3moe."

  private func text(_ path: String) async throws -> String {
    let output = try await Program.run(
      path, "-p", "Once upon a time", "--temp", "0", "-n", "12", "-c", "64")
    #expect(output.code == 0, "\(output.errors)")
    return output.text
  }

  private static let edits: [(what: String, edit: @Sendable (inout GGUFWriter) -> Void)] = [
    ("nothing", { _ in }),
    (
      "an array where one number is usual",
      { writer in
        let layers = 4
        for (key, value) in [
          ("attention.head_count_kv", GGUFValue.uint32(2)), ("expert_used_count", .int32(4)),
          ("attention.head_count", .uint8(4)), ("rope.freq_base", .float32(10000)),
          ("expert_feed_forward_length", .uint32(64)),
        ] {
          writer.set(prefix + key, .array(Array(repeating: value, count: layers)))
        }
      }
    ),
    (
      "four dimensions everywhere",
      { writer in
        for index in writer.tensors.indices {
          while writer.tensors[index].shape.count < 4 { writer.tensors[index].shape.append(1) }
        }
      }
    ),
    (
      "text that is not UTF-8",
      { writer in
        let latin1 = GGUFValue.bytes(Array("C:\\Users\\Jos".utf8) + [0xE9])
        writer.set("quantize.imatrix.file", latin1)
        writer.set("general.name", latin1)
        writer.set("general.tags", .array([latin1]))
      }
    ),
    (
      "other types of numbers",
      { writer in
        writer.set(prefix + "block_count", .int32(4))
        writer.set(prefix + "embedding_length", .uint64(256))
        writer.set(prefix + "context_length", .int64(1024))
        writer.set(prefix + "expert_count", .float32(32))
        writer.set(prefix + "rope.freq_base", .uint16(10000))
        writer.set("tokenizer.ggml.bos_token_id", .int8(0))
        writer.set("tokenizer.ggml.add_bos_token", .uint8(0))
      }
    ),
  ]

  @Test(arguments: edits.indices) func aFileWithSomethingUnusualGivesTheSameText(
    _ index: Int
  ) async throws {
    let (what, edit) = Self.edits[index]
    var writer = try GGUFWriter(copyOf: TrainedModel.path)
    edit(&writer)
    let scratch = try Scratch()
    try writer.write(to: scratch.url("odd.gguf"))
    let usual = try await text(TrainedModel.path)
    let odd = try await text(scratch.url("odd.gguf").path)
    #expect(!usual.isEmpty && odd == usual, "\(what)")
  }

  @Test func linksAndOtherNamesGiveTheSameText() async throws {
    let usual = try await text(TrainedModel.path)
    let writer = try GGUFWriter(copyOf: TrainedModel.path)
    let scratch = try Scratch()
    let manager = FileManager.default
    let (blobs, links) = (scratch.url("blobs"), scratch.url("links"))
    for url in [blobs, links] {
      try manager.createDirectory(at: url, withIntermediateDirectories: false)
    }
    let shards = try writer.writeShards(count: 2, named: "m", in: blobs)
    // A link to the first shard, as people make them.
    try manager.createSymbolicLink(
      at: links.appending(path: "model.gguf"), withDestinationURL: shards[0])
    #expect(try await text(links.appending(path: "model.gguf").path) == usual)
    // Files under hashes, named by links, as download tools make them; and suffixes in capitals.
    for (shard, hash) in zip(shards, ["aaa", "bbb"]) {
      try manager.moveItem(at: shard, to: blobs.appending(path: hash))
      let name = shard.deletingPathExtension().lastPathComponent + ".GGUF"
      try manager.createSymbolicLink(
        atPath: links.appending(path: name).path, withDestinationPath: "../blobs/\(hash)")
    }
    #expect(try await text(links.appending(path: "m-00001-of-00002.GGUF").path) == usual)
  }

  @Test func aWeightThatIsNoNumberIsNamed() async throws {
    let scratch = try Scratch()
    let writer = try GGUFWriter(copyOf: TrainedModel.path)
    try writer.write(to: scratch.url("nan.gguf"))
    let path = scratch.url("nan.gguf").path
    let good = try await Program.run("inspect", path, "--check")
    #expect(good.code == 0 && good.text.contains("checked   every weight is a finite number"))
    let report = try await Program.run("inspect", path, "--json").json()
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    let stack = try #require(tensors.first { $0["name"] as? String == "blk.2.ffn_up_exps.weight" })
    let (start, count) = (stack["offset"] as? Int ?? 0, stack["bytes"] as? Int ?? 0)
    let file = try FileHandle(forUpdating: scratch.url("nan.gguf"))
    for expert in 0..<32 where expert != 5 {
      try file.seek(toOffset: UInt64(start + count / 32 * expert))
      try file.write(contentsOf: Data([0x00, 0x7E]))
    }
    try file.close()
    let name = "\"blk.2.ffn_up_exps.weight\", expert "
    let checked = try await Program.run("inspect", path, "--check")
    #expect(checked.code == 1 && checked.text.contains(name + "4:"))
    #expect(!checked.text.contains(name + "5:"))
    for arguments in [["generate", path, "-n", "4"], ["perplexity", path]] {
      let output = try await Program(
        arguments + ["-p", "Once upon a time there was a cat"], input: ""
      ).end()
      #expect(output.code == 1 && output.errors.contains(path), "\(output.errors)")
      #expect(output.errors.contains(name), "\(output.errors)")
    }
  }

  @Test func otherFilesSayWhatTheyAre() async throws {
    let scratch = try Scratch()
    var adapter = try GGUFWriter(copyOf: TrainedModel.path)
    adapter.set("general.type", .string("adapter"))
    adapter.tensors = Array(adapter.tensors[..<3])
    try adapter.write(to: scratch.url("adapter.gguf"))
    let path = scratch.url("adapter.gguf").path
    for command in ["generate", "plan"] {
      let output = try await Program.run(command, path, input: "Once")
      #expect(output.code == 1)
      #expect(output.errors.contains("found an adapter (LoRA)"), "\(output.errors)")
    }
    let shown = try await Program.run("inspect", path)
    #expect(shown.code == 0 && shown.text.contains("runs here no: "))
    #expect(shown.text.contains("found an adapter (LoRA)"))
  }

  @Test func joinedShardsAreRefusedWithThePlaceOfTheSecond() async throws {
    let scratch = try Scratch()
    let shards = try GGUFWriter(copyOf: TrainedModel.path)
      .writeShards(count: 2, named: "m", in: scratch.url("."))
      .map { try Data(contentsOf: $0) }
    let path = try scratch.write(shards[0] + shards[1], to: "joined.gguf")
    let output = try await Program.run("generate", path, "-p", "x", "-n", "1")
    #expect(output.code == 1)
    #expect(output.errors.contains("another GGUF file that begins at byte \(shards[0].count)"))
    #expect(output.errors.contains("give the shards as they were published"))
  }

  /// A file that tries to command the terminal by every name that it has.
  @Test func namesFromAFileCannotCommandTheTerminal() async throws {
    let evil = "\u{1B}]0;x\u{7}\u{1B}[2J\u{202E}\n\r\u{9B}1m"
    var writer = try GGUFWriter(copyOf: TrainedModel.path)
    writer.set("general.name", .string(evil))
    writer.set(evil, .string(evil))
    writer.set("list", .array([.string(evil), .bytes([0x1B, 0x5B, 0xFF])]))
    let scratch = try Scratch()
    try writer.write(to: scratch.url("named.gguf"))
    writer.tensors[5].name = "blk.0." + evil
    try writer.write(to: scratch.url("evil.gguf"))
    writer.set("general.architecture", .string(evil))
    try writer.write(to: scratch.url("strange.gguf"))
    for name in ["named.gguf", "evil.gguf", "strange.gguf"] {
      for command in ["inspect", "plan", "generate", "perplexity", "tokenize"] {
        let output = try await Program.run(command, scratch.url(name).path, input: "Once upon a")
        #expect(output.code != 64, "\(output.errors)")
        for scalar in (output.text + output.errors).unicodeScalars
        where scalar != "\n" && scalar != "\t" {
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator:
            Issue.record("\(command) \(name) writes U+\(String(scalar.value, radix: 16))")
          default: continue
          }
        }
      }
    }
    let shown = try await Program.run("inspect", scratch.url("evil.gguf").path)
    #expect(shown.text.contains(#""\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}\u{a}\u{d}\u{9b}1m""#))
  }
}
