import Foundation
import MoECore
import MoEFormats
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Older files of Qwen3-Next have the projections of their delta nets as they were published: those
/// of a key head and its value heads together. The same model gives the same bits in either form.
@Suite struct FusedProjectionTests {
  @Test func publishedAndSplitProjectionsGiveTheSameBits() async throws {
    let model = try #require(
      GoldenModel.all.first { $0.architecture == "qwen3next" && $0.isExact })
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "fused.gguf")
    try fused(model.modelPath).write(to: url)
    let tokens = try model.tokens(1)
    let split = try await model.run(tokens, GoldenModel.exactOptions)
    let engine = try await Engine(modelAt: url.path, options: GoldenModel.exactOptions)
    let found = try await model.run(tokens, on: engine)
    #expect(found.logits.map(\.bitPattern) == split.logits.map(\.bitPattern))
    withExtendedLifetime(folder) {}
  }

  /// The file with `ssm_in` in place of `attn_qkv` and `attn_gate`.
  private func fused(_ path: String) throws -> GGUFWriter {
    let file = try GGUFFile(path: path)
    let contents = try Data(contentsOf: URL(fileURLWithPath: path))
    func number(_ key: String) throws -> Int { try file.requireInteger("qwen3next.ssm." + key) }
    let (groups, heads) = (try number("group_count"), try number("time_step_rank"))
    let keyDimension = try number("state_size")
    let valueWidth = try number("inner_size")
    func rows(_ tensor: TensorDescriptor) -> [[UInt8]] {
      let size = tensor.extent.byteCount / tensor.shape[1]
      return (0..<tensor.shape[1]).map { row in
        let start = contents.startIndex + tensor.extent.offset + row * size
        return Array(contents[start..<start + size])
      }
    }
    var writer = try GGUFWriter(copyOf: path)
    for layer in 0..<(try file.requireInteger("qwen3next.block_count")) {
      let names = ["attn_qkv", "attn_gate"].map { "blk.\(layer).\($0).weight" }
      guard let mixed = file.tensor(named: names[0]), let gate = file.tensor(named: names[1])
      else { continue }
      let (mixedRows, gateRows) = (rows(mixed), rows(gate))
      let (keyWidth, own) = (groups * keyDimension, valueWidth / groups)
      #expect(heads % groups == 0 && mixedRows.count == 2 * keyWidth + valueWidth)
      var result: [UInt8] = []
      for group in 0..<groups {
        let key = group * keyDimension
        for row in key..<key + keyDimension { result += mixedRows[row] }
        for row in key..<key + keyDimension { result += mixedRows[keyWidth + row] }
        for row in group * own..<(group + 1) * own { result += mixedRows[2 * keyWidth + row] }
        for row in group * own..<(group + 1) * own { result += gateRows[row] }
      }
      writer.tensors.removeAll { names.contains($0.name) }
      writer.tensors.append(
        GGUFWriter.Tensor(
          "blk.\(layer).ssm_in.weight", .f32, [mixed.shape[0], mixedRows.count + gateRows.count],
          bytes: result))
    }
    return writer
  }
}
