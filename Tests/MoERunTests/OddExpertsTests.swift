import Foundation
import MoEAnalysis
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Files whose experts are stored, counted or used in other ways than the usual one.
@Suite struct OddExpertsTests {
  private static let layerCount = 4
  private static let expertCount = 32
  private static let stacks = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"]
  private static let story = "Once upon a time there was a little dog who liked to play. "

  private static func name(_ layer: Int, _ stack: String) -> String {
    "blk.\(layer).\(stack).weight"
  }

  /// What a model makes of a text, with all experts in memory and with 40 % of them.
  private func perplexities(_ path: String, _ scratch: Scratch) async throws -> [Double] {
    let text = try scratch.write(
      Data(String(repeating: Self.story, count: 8).utf8), to: "story.txt")
    var results: [Double] = []
    for placement in [["resident"], ["offloaded", "--expert-pool", "40%"]] {
      let report = try await Program(
        ["perplexity", path, "-f", text, "--json", "--placement"] + placement
      ).end().json()
      results.append(try #require(report["perplexity"] as? Double))
    }
    #expect(results[0] == results[1] && results[0].isFinite)
    return results
  }

  private func bytes(_ tensor: GGUFWriter.Tensor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try tensor.produce { bytes += $0 }
    return bytes
  }

  private func index(_ writer: GGUFWriter, _ name: String) throws -> Int {
    try #require(writer.tensors.firstIndex { $0.name == name }, "\(name)")
  }

  /// The trained model after `edit`, as a file.
  private func edited(
    _ scratch: Scratch, _ edit: (inout GGUFWriter) throws -> Void
  ) throws -> String {
    var writer = try GGUFWriter(copyOf: TrainedModel.path)
    try edit(&writer)
    try writer.write(to: scratch.url("odd.gguf"))
    return scratch.url("odd.gguf").path
  }

  @Test func gateAndUpInOneTensorGiveTheSame() async throws {
    let scratch = try Scratch()
    let path = try edited(scratch) { writer in
      for layer in 0..<Self.layerCount {
        let gate = try index(writer, Self.name(layer, "ffn_gate_exps"))
        let up = try index(writer, Self.name(layer, "ffn_up_exps"))
        let (first, second) = (try bytes(writer.tensors[gate]), try bytes(writer.tensors[up]))
        let size = first.count / Self.expertCount
        var fused: [UInt8] = []
        for start in stride(from: 0, to: first.count, by: size) {
          fused += first[start..<start + size]
          fused += second[start..<start + size]
        }
        var shape = writer.tensors[gate].shape
        shape[1] *= 2
        writer.tensors[gate] = GGUFWriter.Tensor(
          Self.name(layer, "ffn_gate_up_exps"), writer.tensors[gate].type, shape, bytes: fused)
        writer.tensors.remove(at: up)
      }
    }
    #expect(try await perplexities(path, scratch) == perplexities(TrainedModel.path, scratch))
  }

  @Test func aTensorForEachExpertGivesTheSame() async throws {
    let scratch = try Scratch()
    let path = try edited(scratch) { writer in
      for layer in 0..<Self.layerCount {
        for stack in Self.stacks {
          let place = try index(writer, Self.name(layer, stack))
          let tensor = writer.tensors.remove(at: place)
          let all = try bytes(tensor)
          let size = all.count / Self.expertCount
          let part = stack.dropLast("_exps".count)
          for expert in 0..<Self.expertCount {
            writer.tensors.append(
              GGUFWriter.Tensor(
                "blk.\(layer).\(part).\(expert).weight", tensor.type,
                Array(tensor.shape.prefix(2)),
                bytes: Array(all[expert * size..<(expert + 1) * size])))
          }
        }
      }
    }
    #expect(try await perplexities(path, scratch) == perplexities(TrainedModel.path, scratch))
    let inspection = try await Program.run("inspect", path, "--json").json()
    let experts = try #require(inspection["experts"] as? [String: Any])
    #expect((experts["layers"] as? [Any])?.count == Self.layerCount)
  }

  /// A layer loses an expert that the text never takes: others keep theirs.
  @Test func aLayerWithAnExpertFewerRuns() async throws {
    let scratch = try Scratch()
    let usual = try await perplexities(TrainedModel.path, scratch)
    let layer = Self.layerCount - 1
    let story = scratch.url("story.txt").path
    let recorded = scratch.url("whole.moetrace").path
    _ = try await Program.run(
      "trace", "record", TrainedModel.path, "--text", story, "-o", recorded)
    let whole = try RoutingTrace(contentsOf: recorded)
    let taken = Set((0..<whole.tokenCount).flatMap { whole.selection(token: $0, layer: layer) })
    let unused = try #require((0..<Self.expertCount).first { !taken.contains(Int32($0)) })
    let path = try edited(scratch) { writer in
      for stack in Self.stacks + ["ffn_gate_inp"] {
        let place = try index(writer, Self.name(layer, stack))
        var tensor = writer.tensors[place]
        var all = try bytes(tensor)
        let size = all.count / Self.expertCount
        all.removeSubrange(unused * size..<(unused + 1) * size)
        tensor.shape[tensor.shape.count - 1] -= 1
        writer.tensors[place] = GGUFWriter.Tensor(
          tensor.name, tensor.type, tensor.shape, bytes: all)
      }
    }
    // The softmax that the weights come from has a term less, which renormalising takes out again
    // but for a last bit; where activations are rounded to 8 bits, that is a step now and then.
    let pruned = try await perplexities(path, scratch)
    #expect(abs(pruned[0] / usual[0] - 1) < 1e-4)
    let odd = scratch.url("pruned.moetrace").path
    let output = try await Program.run(
      "trace", "record", path, "--text", story, "-o", odd, "--logits")
    #expect(output.code == 0, "\(output.errors)")
    let trace = try RoutingTrace(contentsOf: odd)
    let logits = try #require(trace.logits).suffix(Self.expertCount)
    #expect(logits.dropLast().allSatisfy(\.isFinite) && logits.last == -.infinity)
    for token in 0..<trace.tokenCount {
      let renumbered = whole.selection(token: token, layer: layer).map {
        $0 > Int32(unused) ? $0 - 1 : $0
      }
      #expect(Array(trace.selection(token: token, layer: layer)) == renumbered, "token \(token)")
    }
  }

  @Test func aLayerWhoseTokensTakeFewerExpertsIsHonoured() async throws {
    let scratch = try Scratch()
    let path = try edited(scratch) { writer in
      let counts = [1, 4, 3, 2].map { GGUFValue.uint32($0) }
      writer.set("qwen3moe.expert_used_count", .array(counts))
    }
    let fewer = try await perplexities(path, scratch)
    // The gating that gives layers their number of experts is another way to the same model.
    let usual = try await Program.run(
      "perplexity", TrainedModel.path, "-f", scratch.url("story.txt").path, "--json", "--gating",
      "schedule:1,4,2,1"
    ).json()
    #expect(fewer[0] == usual["perplexity"] as? Double)
    let recorded = scratch.url("odd.moetrace").path
    _ = try await Program.run(
      "trace", "record", path, "--text", scratch.url("story.txt").path, "-o", recorded)
    let trace = try RoutingTrace(contentsOf: recorded)
    for (layer, count) in [1, 4, 3, 2].enumerated() {
      #expect(trace.selection(token: 5, layer: layer).count == count)
    }
  }

  @Test(arguments: ["output.bias", "output.zero", "blk.1.ffn_down_exps.zero"])
  func aTensorThatWouldChangeTheAnswerIsRefused(_ name: String) async throws {
    let scratch = try Scratch()
    let path = try edited(scratch) { writer in
      writer.tensors.append(
        GGUFWriter.Tensor(name, .f32, [32], bytes: Array(repeating: 1, count: 128)))
    }
    for (command, more) in [("generate", ["-p", "a"]), ("plan", [])] {
      let output = try await Program([command, path] + more).end()
      #expect(output.code == 1 && output.errorLines.count == 1, "\(output.errors)")
      #expect(output.errors.contains("\"\(name)\""), "\(output.errors)")
    }
  }
}
