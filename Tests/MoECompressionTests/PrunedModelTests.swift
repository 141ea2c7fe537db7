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

extension QuantizedModelTests {
  /// Hand-made counts; the published rule keeps the most used.
  @Test func theMostUsedExpertsStay() {
    #expect(ExpertPruning.mostUsed([5, 1, 7, 7, 0], count: 3) == [0, 2, 3])
    #expect(ExpertPruning.mostUsed([1, 1, 1, 1], count: 2) == [0, 1])
    #expect(ExpertPruning.mostUsed([.nan, 0.5, .infinity, 0.25], count: 2) == [1, 3])
    #expect(ExpertPruning.mostUsed([1, 2], count: 5) == [0, 1])
    let pruning = ExpertPruning(counts: [0: [3, 1, 2], 4: [0, 1, 2]]) { $0 == 0 ? 1 : 2 }
    #expect(pruning.kept == [0: [0], 4: [1, 2]])
  }

  private func pruned(_ kept: [Int: [Int]]) -> ExpertPruning {
    var pruning = ExpertPruning()
    pruning.kept = kept
    return pruning
  }

  /// The kept experts, their routers' rows and biases, and nothing else.
  @Test(arguments: [
    SyntheticModel.Architecture.olmoe, .init(rawValue: "gpt-oss"), .init(rawValue: "glm4moe"),
    .init(rawValue: "gemma4"),
  ])
  func keptExpertsAreWhatTheyWere(_ architecture: SyntheticModel.Architecture) throws {
    var model = SyntheticModel(architecture)
    model.expertCount = 8
    try model.write(to: folder.url.appending(path: "model.gguf"))
    let source = try QuantizationSource(modelAt: path("model.gguf"))
    let routed = source.experts.routedLayers
    let kept = Dictionary(uniqueKeysWithValues: routed.map { ($0, [1, 2, 4, 7]) })
    try write(source, QuantizationMix(), pruning: pruned(kept))
    let written = try QuantizationSource(modelAt: path("written.gguf"))
    try expectSameEntries(
      path("model.gguf"), path("written.gguf"), except: ["\(architecture.rawValue).expert_count"])
    #expect(written.file.value(forKey: "\(architecture.rawValue).expert_count")?.integer == 4)
    let (before, after) = (try tensors(source.file), try tensors(written.file))
    #expect(before.count == after.count)
    for layer in routed {
      #expect(written.experts.layers[layer].expertCount == 4)
      #expect(written.description.routers[layer]?.expertCount == 4)
    }
    var changedCount = 0
    for tensor in source.file.tensors {
      let own = try #require(before[tensor.name])
      if own == after[tensor.name] { continue }
      changedCount += 1
      let size = own.count / 8
      let wanted = [1, 2, 4, 7].flatMap { own[$0 * size..<($0 + 1) * size] }
      #expect(after[tensor.name] == wanted, "\(tensor.name)")
    }
    #expect(changedCount >= 4 * routed.count, "router and three matrices of each layer")
  }

  @Test func layersMayKeepDifferentNumbers() throws {
    var model = SyntheticModel(.olmoe)
    model.layerCount = 3
    try model.write(to: folder.url.appending(path: "model.gguf"))
    let source = try QuantizationSource(modelAt: path("model.gguf"))
    try write(
      source, try mix("q8_0"), pruning: pruned([0: [0, 3, 5], 2: [2, 7]]))
    let written = try QuantizationSource(modelAt: path("written.gguf"))
    #expect(written.experts.layers.map(\.expertCount) == [3, 8, 2])
    let counts = try #require(written.file.storedArray(forKey: "olmoe.expert_count")?.decoded)
    #expect(counts.integers == [3, 8, 2])
    // An expert is rounded as it is in the whole model.
    try write(source, try mix("q8_0"), to: "whole.gguf")
    let (whole, some) = (
      try tensors(try GGUFFile(path: path("whole.gguf"))), try tensors(written.file)
    )
    let name = "blk.2.ffn_up_exps.weight"
    let (all, kept) = (try #require(whole[name]), try #require(some[name]))
    let size = all.count / 8
    #expect(Array(all[2 * size..<3 * size] + all[7 * size..<8 * size]) == kept)
    // And once more, of what is left.
    let again = try QuantizationSource(modelAt: path("written.gguf"))
    try write(again, QuantizationMix(), pruning: pruned([1: [0, 1]]), to: "again.gguf")
    #expect(
      try QuantizationSource(modelAt: path("again.gguf")).experts.layers.map(\.expertCount)
        == [3, 2, 2])
  }

  /// Old files have a tensor for each expert; those that stay are numbered anew.
  @Test func expertsInTensorsOfTheirOwn() throws {
    var model = SyntheticModel(.init(rawValue: "llama"))
    model.expertCount = 4
    try model.write(to: folder.url.appending(path: "stacked.gguf"))
    var writer = try GGUFWriter(copyOf: path("stacked.gguf"))
    writer.tensors = try writer.tensors.flatMap { tensor -> [GGUFWriter.Tensor] in
      guard tensor.name.contains("_exps.weight") else { return [tensor] }
      var content: [UInt8] = []
      try tensor.produce { content += $0 }
      let size = content.count / 4
      return (0..<4).map { expert in
        GGUFWriter.Tensor(
          tensor.name.replacing("_exps.weight", with: ".\(expert).weight"), tensor.type,
          Array(tensor.shape.dropLast()),
          bytes: Array(content[expert * size..<(expert + 1) * size]))
      }
    }
    try writer.write(to: folder.url.appending(path: "single.gguf"))
    let stacked = try QuantizationSource(modelAt: path("stacked.gguf"))
    let single = try QuantizationSource(modelAt: path("single.gguf"))
    let pruning = pruned([0: [0, 2], 1: [1, 3]])
    try write(stacked, try mix("q4_0"), pruning: pruning, to: "a.gguf")
    try write(single, try mix("q4_0"), pruning: pruning, to: "b.gguf")
    let all = try tensors(try GGUFFile(path: path("a.gguf")))
    let each = try tensors(try GGUFFile(path: path("b.gguf")))
    for (name, bytes) in all where name.contains("_exps.weight") {
      let parts = (0..<2).map { each[name.replacing("_exps.weight", with: ".\($0).weight")] ?? [] }
      #expect(parts[0] + parts[1] == bytes, "\(name)")
    }
    #expect(each["blk.0.ffn_up.2.weight"] == nil)
    _ = try QuantizationSource(modelAt: path("b.gguf"))
  }

  @Test func whatCannotBeLeftOutIsNamed() throws {
    var model = SyntheticModel(.init(rawValue: "deepseek2"))
    model.expertCount = 8
    try model.write(to: folder.url.appending(path: "model.gguf"))
    let source = try QuantizationSource(modelAt: path("model.gguf"))
    let routed = try #require(source.experts.routedLayers.first)
    func message(_ kept: [Int: [Int]]) -> String {
      do {
        _ = try QuantizationPlan(QuantizationMix(), pruning: pruned(kept), of: source)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(message([99: [0, 1]]).contains("layer 99 has no routed experts"))
    #expect(message([routed: [1, 0]]).contains("the experts 0 to 7"))
    #expect(message([routed: [0, 8]]).contains("the experts 0 to 7"))
    #expect(message([routed: Array(0..<8)]).isEmpty)
    let olmoe = try QuantizationSource(modelAt: try self.model(named: "olmoe.gguf"))
    #expect(throws: QuantizeError.self) {
      try QuantizationPlan(QuantizationMix(), pruning: pruned([0: [3]]), of: olmoe)
    }
  }
}
