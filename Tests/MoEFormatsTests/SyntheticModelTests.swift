import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct SyntheticModelTests {
  private static let types = ["F32", "F16", "BF16", "Q8_0", "Q4_K", "Q6_K"]

  /// Wide enough for the formats with blocks of 256.
  private func model(
    _ architecture: SyntheticModel.Architecture, _ type: String = "F32"
  ) throws -> SyntheticModel {
    var model = SyntheticModel(architecture)
    model.useWholeBlocks()
    model.expertCount = 4
    model.formats = SyntheticModel.Formats(try #require(GGMLType(name: type)))
    return model
  }

  @Test(arguments: SyntheticModel.Architecture.allCases, types)
  func `a model reads back as described`(
    _ architecture: SyntheticModel.Architecture, _ type: String
  ) throws {
    let model = try model(architecture, type)
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "model.gguf")
      try model.write(to: url)
      let file = try GGUFFile(path: url.path)
      let name = architecture.rawValue
      #expect(file.totalByteCount == (try model.byteCount()))
      #expect(file.architecture == name)
      #expect(try file.requireInteger("\(name).block_count") == model.layerCount)
      #expect(try file.requireInteger("\(name).expert_count") == model.expertCount)
      #expect(try file.requireStrings("tokenizer.ggml.tokens").count == model.vocabularySize)
      let description = try model.description()
      let rows = description.layers.enumerated().flatMap { $1.tensors($0, description).rows }
      #expect(file.tensors.count > rows.count { !$0.isOptional })
      let vectors = Set((rows + description.endTensors.rows).filter(\.isVector).map(\.name))
      for tensor in file.tensors {
        let isPlain =
          vectors.contains(tensor.name) || tensor.name.contains("gate_inp")
          || tensor.name.hasSuffix("_exps.bias")
        let format = GGMLType(id: tensor.formatID)
        // A format whose blocks do not divide the rows gives way to the next that does.
        let possible = isPlain ? ["F32"] : [type, "Q8_0", "F32"]
        let fitting = possible.compactMap { GGMLType(name: $0) }.first {
          tensor.shape[0] % $0.blockElementCount == 0
        }
        #expect(format?.name == fitting?.name, "\(tensor.name)")
      }
      let down = try #require(file.tensor(named: "blk.1.ffn_down_exps.weight"))
      #expect(down.shape == [model.expertWidth, model.hiddenSize, model.expertCount])
    }
  }

  @Test(arguments: SyntheticModel.Architecture.allCases)
  func `one seed gives one file and another seed another`(
    _ architecture: SyntheticModel.Architecture
  ) throws {
    var model = SyntheticModel(architecture)
    let bytes = try model.bytes()
    #expect(try model.bytes() == bytes)
    model.seed = 2
    let other = try model.bytes()
    #expect(other.count == bytes.count)
    #expect(other != bytes)
  }

  @Test func `weights have the spread that keeps activations near one`() throws {
    var model = try model(.qwen3moe)
    model.vocabularySize = 5000  // Larger than the pool, so that dealing is tested too.
    let bytes = try model.bytes()
    let header = try GGUFHeader(bytes: bytes)
    func deviation(_ name: String) throws -> Double {
      let tensor = try #require(header.tensors.first { $0.name == name })
      let values = stride(from: 0, to: tensor.extent.byteCount, by: 4).map { offset in
        let word = bytes[(tensor.extent.offset + offset)...].prefix(4).reversed()
          .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(Float(bitPattern: word))
      }
      #expect(values.allSatisfy { $0.isFinite })
      return (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    }
    #expect(abs(try deviation("token_embd.weight") - 1) < 0.01)
    #expect(abs(try deviation("blk.0.attn_q.weight") * 16 - 1) < 0.01)
    #expect(abs(try deviation("blk.1.ffn_up_exps.weight") * 16 - 1) < 0.01)
    #expect(abs(try deviation("output_norm.weight") - 1) < 0.02)
  }

  @Test func `a model in shards is the same model`() throws {
    let model = SyntheticModel(.olmoe)
    try withTemporaryFolder { folder in
      let urls = try model.writeShards(count: 4, named: "model", in: folder)
      let whole = try GGUFHeader(bytes: model.bytes())
      let file = try GGUFFile(path: urls[3].path)
      #expect(file.tensors.map(\.name) == whole.tensors.map(\.name))
      #expect(file.tensors.map(\.shape) == whole.tensors.map(\.shape))
      #expect(Set(file.tensors.map(\.extent.fileIndex)) == [0, 1, 2, 3])
    }
  }
}
