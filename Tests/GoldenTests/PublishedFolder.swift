import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import Testing

/// A golden model's F32 file as its makers would publish it: a folder with a configuration,
/// safetensors files and a tokenizer, whose names are written out here once more.
final class PublishedFolder {
  let path: String
  private let folder: TemporaryFolder

  /// - Parameters:
  ///   - model: The golden's name.
  ///   - fileCount: Files that the tensors are divided among, with an index if there are several.
  convenience init(_ model: String, fileCount: Int) throws {
    let source = try Goldens.require("models/\(model)/model-f32.gguf")
    try self.init(
      model, tensors: Self.tensors(of: source, isMixtral: model == "mixtral"),
      fileCount: fileCount)
  }

  /// - Parameters:
  ///   - tensors: In place of those of the golden.
  ///   - tokenizer: The name of the golden tokenizer that is put beside it. The models' own differ,
  ///     and their tests are elsewhere.
  init(
    _ model: String, tensors: [Tensor], fileCount: Int = 1, tokenizer: String = "gpt2",
    changing change: (inout [String: Any]) -> Void = { _ in }
  ) throws {
    folder = try TemporaryFolder()
    path = folder.url.path
    let source = try Goldens.require("models/\(model)/config.json")
    var configuration = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: source)) as? [String: Any])
    change(&configuration)
    try JSONSerialization.data(withJSONObject: configuration).write(
      to: folder.url.appending(path: "config.json"))
    try FileManager.default.copyItem(
      at: Goldens.require("tokenizer/\(tokenizer)/tokenizer.json"),
      to: folder.url.appending(path: "tokenizer.json"))
    var files: [String: String] = [:]
    for file in 0..<fileCount {
      let own = tensors.enumerated().filter { $0.offset % fileCount == file }.map(\.element)
      let name =
        fileCount == 1 ? "model.safetensors" : "model-\(file + 1)-of-\(fileCount).safetensors"
      try Self.write(own, to: folder.url.appending(path: name))
      for tensor in own { files[tensor.name] = name }
    }
    if fileCount > 1 {
      let index = try JSONSerialization.data(withJSONObject: ["weight_map": files])
      try index.write(to: folder.url.appending(path: "model.safetensors.index.json"))
    }
  }

  struct Tensor {
    var name: String
    var type = "F32"
    /// Outermost first.
    var shape: [Int]
    var bytes: Data
  }

  private static func write(_ tensors: [Tensor], to url: URL) throws {
    var entries: [String: Any] = ["__metadata__": ["format": "pt"]]
    var data = Data()
    for tensor in tensors {
      entries[tensor.name] = [
        "dtype": tensor.type, "shape": tensor.shape,
        "data_offsets": [data.count, data.count + tensor.bytes.count],
      ]
      data.append(tensor.bytes)
    }
    let header = try JSONSerialization.data(withJSONObject: entries)
    var file = unsafe withUnsafeBytes(of: UInt64(header.count).littleEndian) { unsafe Data($0) }
    file.append(header)
    file.append(data)
    try file.write(to: url)
  }

  private static func tensors(of url: URL, isMixtral: Bool) throws -> [Tensor] {
    let contents = try Data(contentsOf: url)
    let file = try GGUFFile(path: url.path)
    let architecture = file.architecture ?? ""
    func headCount(_ key: String) -> Int {
      file.value(forKey: "\(architecture).attention.\(key)")?.integer ?? 1
    }
    return file.tensors.flatMap { stored -> [Tensor] in
      let start = contents.startIndex + stored.extent.offset
      let bytes = contents[start..<start + stored.extent.byteCount]
      var tensor = Tensor(name: "", shape: stored.shape.reversed(), bytes: Data(bytes))
      let parts = stored.name.split(separator: ".").map { String($0) }
      guard parts[0] == "blk" else {
        tensor.name = endNames[stored.name] ?? ""
        return [tensor]
      }
      let prefix = "model.layers.\(parts[1])."
      let own = parts[2...].joined(separator: ".")
      if let projection = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"].firstIndex(of: parts[2])
      {
        return experts(of: tensor, { prefix + expertName(projection, $0, isMixtral: isMixtral) })
      }
      if isMixtral, own == "attn_q.weight" || own == "attn_k.weight" {
        let count = headCount(own == "attn_q.weight" ? "head_count" : "head_count_kv")
        tensor.bytes = publishedOrder(of: tensor, headCount: count)
      }
      if own == "ffn_gate_inp_shexp.weight" { tensor.shape = [1, tensor.shape[0]] }
      let name =
        isMixtral && own == "ffn_gate_inp.weight" ? "block_sparse_moe.gate.weight" : layerNames[own]
      tensor.name = prefix + (name ?? "")
      return [tensor]
    }
  }

  private static func expertName(_ projection: Int, _ expert: Int, isMixtral: Bool) -> String {
    isMixtral
      ? "block_sparse_moe.experts.\(expert).\(["w1", "w3", "w2"][projection]).weight"
      : "mlp.experts.\(expert).\(["gate", "up", "down"][projection])_proj.weight"
  }

  private static func experts(
    of stack: Tensor, _ name: (Int) -> String
  ) -> [Tensor] {
    let byteCount = stack.bytes.count / stack.shape[0]
    return (0..<stack.shape[0]).map { expert in
      Tensor(
        name: name(expert), shape: Array(stack.shape[1...]),
        bytes: Data(stack.bytes.dropFirst(expert * byteCount).prefix(byteCount)))
    }
  }

  /// Undoes what converters do to rows of queries and keys: neighbours there are halves apart here.
  private static func publishedOrder(of matrix: Tensor, headCount: Int) -> Data {
    let rowByteCount = matrix.shape[1] * 4
    let headDimension = matrix.shape[0] / headCount
    var bytes = Data()
    for head in 0..<headCount {
      for row in 0..<headDimension {
        let (half, pair) = (row / (headDimension / 2), row % (headDimension / 2))
        let source = head * headDimension + 2 * pair + half
        bytes.append(matrix.bytes.dropFirst(source * rowByteCount).prefix(rowByteCount))
      }
    }
    return bytes
  }

  static let endNames = [
    "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
  ]

  static let layerNames = [
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight", "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.weight": "self_attn.k_proj.weight", "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.weight": "self_attn.v_proj.weight", "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.weight": "self_attn.o_proj.weight",
    "attn_q_norm.weight": "self_attn.q_norm.weight",
    "attn_k_norm.weight": "self_attn.k_norm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate_inp.weight": "mlp.gate.weight",
    "ffn_gate_shexp.weight": "mlp.shared_expert.gate_proj.weight",
    "ffn_up_shexp.weight": "mlp.shared_expert.up_proj.weight",
    "ffn_down_shexp.weight": "mlp.shared_expert.down_proj.weight",
    "ffn_gate_inp_shexp.weight": "mlp.shared_expert_gate.weight",
  ]
}
