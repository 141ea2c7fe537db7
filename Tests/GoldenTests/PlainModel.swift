import Foundation
import MoECore
import MoEFormats
import MoEKernels
import MoESynthetic
import MoETestSupport

/// A model file's tensors as floats, to be written again in other forms: to a GGUF file, which is
/// the reference, and to a folder.
struct PlainModel {
  struct Tensor {
    var name: String
    var type: GGMLType
    /// Innermost first.
    var shape: [Int]
    /// The file's.
    var bytes: [UInt8]

    var floats: [Float] {
      QuantFormat(ggmlType: type.id)?.floats(bytes) ?? []
    }
    var columnCount: Int { shape[0] }
    var rowCount: Int { shape.count > 1 ? shape[1] : 1 }
    var expertCount: Int { shape.count > 2 ? shape[2] : 1 }
  }

  let path: String
  var tensors: [Tensor]

  init(_ path: String) throws {
    self.path = path
    let contents = try Data(contentsOf: URL(fileURLWithPath: path))
    tensors = try GGUFFile(path: path).tensors.compactMap { tensor in
      guard let type = GGMLType(id: tensor.formatID) else { return nil }
      let start = contents.startIndex + tensor.extent.offset
      return Tensor(
        name: tensor.name, type: type, shape: tensor.shape,
        bytes: Array(contents[start..<start + tensor.extent.byteCount]))
    }
  }

  subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

  /// The upper halves of floats, rounded to nearest, and the floats that these are.
  static func brainFloats(_ values: [Float]) -> (bytes: [UInt8], floats: [Float]) {
    let halves = values.map { value in
      let bits = value.bitPattern
      return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }
    return (
      halves.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] },
      halves.map { Float(bitPattern: UInt32($0) << 16) }
    )
  }

  static func bytes(_ values: [Float]) -> [UInt8] {
    unsafe values.withUnsafeBytes { unsafe Array($0) }
  }

  mutating func round(where isRounded: (Tensor) -> Bool, keepingFloats: Bool) {
    for index in tensors.indices where isRounded(tensors[index]) {
      let (bytes, floats) = Self.brainFloats(tensors[index].floats)
      tensors[index].type = keepingFloats ? .f32 : .bf16
      tensors[index].bytes = keepingFloats ? Self.bytes(floats) : bytes
    }
  }

  func write(to url: URL) throws {
    var writer = try GGUFWriter(copyOf: path)
    writer.tensors = tensors.map {
      GGUFWriter.Tensor($0.name, $0.type, $0.shape, bytes: $0.bytes)
    }
    try writer.write(to: url)
  }
}

/// gpt-oss as it was published: the rows of gate and up in turn; experts in MXFP4 as quants and
/// scales, others with columns in place of rows.
extension PlainModel {
  func publishedGPTOSS() -> [PublishedFolder.Tensor] {
    var published: [PublishedFolder.Tensor] = []
    for tensor in tensors { published += publishedGPTOSS(tensor) }
    return published
  }

  private func publishedGPTOSS(_ tensor: Tensor) -> [PublishedFolder.Tensor] {
    let parts = tensor.name.split(separator: ".").map { String($0) }
    guard parts[0] == "blk" else {
      return [folderTensor(tensor, PublishedFolder.endNames[tensor.name] ?? "")]
    }
    let prefix = "model.layers.\(parts[1])."
    let own = parts[2...].joined(separator: ".")
    switch own {
    case "ffn_gate_exps.weight":
      guard let up = self["blk.\(parts[1]).ffn_up_exps.weight"] else { return [] }
      var both = tensor
      both.shape[1] *= 2
      let rowCount = tensor.rowCount * tensor.expertCount
      both.bytes = Self.inTurn(tensor.bytes, up.bytes, size: tensor.bytes.count / rowCount)
      return experts(both, prefix + "mlp.experts.gate_up_proj")
    case "ffn_down_exps.weight": return experts(tensor, prefix + "mlp.experts.down_proj")
    case "ffn_gate_exps.bias":
      guard let up = self["blk.\(parts[1]).ffn_up_exps.bias"] else { return [] }
      var both = tensor
      both.shape[0] *= 2
      both.bytes = Self.inTurn(tensor.bytes, up.bytes, size: tensor.type.blockByteCount)
      return [folderTensor(both, prefix + "mlp.experts.gate_up_proj_bias")]
    case "ffn_down_exps.bias":
      return [folderTensor(tensor, prefix + "mlp.experts.down_proj_bias")]
    case "ffn_up_exps.weight", "ffn_up_exps.bias": return []
    default: return [folderTensor(tensor, prefix + (Self.gptOSSNames[own] ?? ""))]
    }
  }

  /// So many bytes of one, so many of the other, and again.
  private static func inTurn(_ first: [UInt8], _ second: [UInt8], size: Int) -> [UInt8] {
    var both: [UInt8] = []
    for start in stride(from: 0, to: first.count, by: size) {
      both += first[start..<start + size]
      both += second[start..<start + size]
    }
    return both
  }

  private static let gptOSSNames = PublishedFolder.layerNames.merging([
    "attn_sinks.weight": "self_attn.sinks", "attn_output.bias": "self_attn.o_proj.bias",
    "post_attention_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate_inp.weight": "mlp.router.weight", "ffn_gate_inp.bias": "mlp.router.bias",
  ]) { $1 }

  func folderTensor(_ tensor: Tensor, _ name: String) -> PublishedFolder.Tensor {
    PublishedFolder.Tensor(
      name: name, type: tensor.type.name, shape: tensor.shape.reversed(),
      bytes: Data(tensor.bytes))
  }

  private func experts(_ tensor: Tensor, _ name: String) -> [PublishedFolder.Tensor] {
    let (columns, rows, count) = (tensor.columnCount, tensor.rowCount, tensor.expertCount)
    guard tensor.type.name == "MXFP4" else {
      let size = tensor.bytes.count / (columns * rows * count)
      var bytes = Data()
      for expert in 0..<count {
        for column in 0..<columns {
          for row in 0..<rows {
            let start = ((expert * rows + row) * columns + column) * size
            bytes.append(contentsOf: tensor.bytes[start..<start + size])
          }
        }
      }
      return [
        PublishedFolder.Tensor(
          name: name, type: tensor.type.name, shape: [count, columns, rows], bytes: bytes)
      ]
    }
    var (quants, scales) = (Data(), Data())
    for block in stride(from: 0, to: tensor.bytes.count, by: 17) {
      scales.append(tensor.bytes[block])
      let elements = (0..<32).map { index in
        tensor.bytes[block + 1 + index % 16] >> (index < 16 ? 0 : 4) & 15
      }
      for pair in 0..<16 { quants.append(elements[2 * pair] | elements[2 * pair + 1] << 4) }
    }
    return [
      PublishedFolder.Tensor(
        name: name + "_blocks", type: "U8", shape: [count, rows, columns / 32, 16],
        bytes: quants),
      PublishedFolder.Tensor(
        name: name + "_scales", type: "U8", shape: [count, rows, columns / 32], bytes: scales),
    ]
  }
}

/// DeepSeek as it was published: keys and values from latents by one matrix, a tensor for each
/// expert, and weights as floats of 8 bits with a scale for each 128 rows and columns.
extension PlainModel {
  /// The matrices of keys and values joined, as older files and published ones have them.
  mutating func joinLatents() {
    for key in tensors where key.name.hasSuffix("attn_k_b.weight") {
      let prefix = String(key.name.dropLast("attn_k_b.weight".count))
      guard let value = self[prefix + "attn_v_b.weight"] else { continue }
      let (plain, latent, heads) = (key.shape[0], key.shape[1], key.shape[2])
      let dimension = value.shape[1]
      let (keys, values) = (key.floats, value.floats)
      var rows: [Float] = []
      for head in 0..<heads {
        for row in 0..<plain {
          for column in 0..<latent { rows.append(keys[(head * latent + column) * plain + row]) }
        }
        rows += values[head * dimension * latent..<(head + 1) * dimension * latent]
      }
      tensors.removeAll { $0.name == key.name || $0.name == value.name }
      tensors.append(
        Tensor(
          name: prefix + "attn_kv_b.weight", type: .f32,
          shape: [latent, heads * (plain + dimension)], bytes: Self.bytes(rows)))
    }
  }

  private static let deepSeekNames = PublishedFolder.layerNames.merging([
    "attn_q_a.weight": "self_attn.q_a_proj.weight",
    "attn_q_a_norm.weight": "self_attn.q_a_layernorm.weight",
    "attn_q_b.weight": "self_attn.q_b_proj.weight",
    "attn_kv_a_mqa.weight": "self_attn.kv_a_proj_with_mqa.weight",
    "attn_kv_a_norm.weight": "self_attn.kv_a_layernorm.weight",
    "attn_kv_b.weight": "self_attn.kv_b_proj.weight",
    "exp_probs_b.bias": "mlp.gate.e_score_correction_bias",
    "ffn_gate.weight": "mlp.gate_proj.weight", "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
    "ffn_gate_shexp.weight": "mlp.shared_experts.gate_proj.weight",
    "ffn_up_shexp.weight": "mlp.shared_experts.up_proj.weight",
    "ffn_down_shexp.weight": "mlp.shared_experts.down_proj.weight",
  ]) { $1 }

  /// Which matrices are quantised in published models: those of attention and of networks.
  private static func isQuantised(_ name: String) -> Bool {
    name.contains("_proj.") || name.contains("kv_a_proj")
  }

  /// The folder's tensors. With `f8`, this model's become what the quantised ones mean.
  mutating func publishedDeepSeek(f8: Bool = false) -> [PublishedFolder.Tensor] {
    var published: [PublishedFolder.Tensor] = []
    for index in tensors.indices {
      let tensor = tensors[index]
      let parts = tensor.name.split(separator: ".").map { String($0) }
      guard parts[0] == "blk" else {
        published.append(folderTensor(tensor, PublishedFolder.endNames[tensor.name] ?? ""))
        continue
      }
      let (prefix, own) = ("model.layers.\(parts[1]).", parts[2...].joined(separator: "."))
      let stacks = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"]
      let projection = stacks.firstIndex(of: parts[2]).map { ["gate", "up", "down"][$0] }
      let count = projection == nil ? 1 : tensor.expertCount
      let size = tensor.bytes.count / count
      var decoded: [UInt8] = []
      for expert in 0..<count {
        var part = tensor
        if projection != nil { part.shape = Array(tensor.shape.prefix(2)) }
        part.bytes = Array(tensor.bytes[expert * size..<(expert + 1) * size])
        let name =
          prefix
          + (projection.map { "mlp.experts.\(expert).\($0)_proj.weight" }
            ?? Self.deepSeekNames[own] ?? "")
        guard f8 && Self.isQuantised(name) else {
          published.append(folderTensor(part, name))
          continue
        }
        let quantised = EightBitFloats(
          part.floats, rowCount: part.rowCount, columnCount: part.columnCount)
        decoded += Self.brainFloats(quantised.floats).bytes
        published.append(
          PublishedFolder.Tensor(
            name: name, type: "F8_E4M3", shape: [part.rowCount, part.columnCount],
            bytes: Data(quantised.bytes)))
        published.append(
          PublishedFolder.Tensor(
            name: name + "_scale_inv", type: "F32", shape: quantised.blockCounts,
            bytes: Data(Self.bytes(quantised.scales))))
      }
      if !decoded.isEmpty { (tensors[index].type, tensors[index].bytes) = (.bf16, decoded) }
    }
    return published
  }
}

/// A matrix as floats of 8 bits, four of them for the exponent and three for the fraction, with a
/// scale for each 128 rows and columns. Written from the definition.
struct EightBitFloats {
  private static let block = 128
  let bytes: [UInt8]
  let scales: [Float]
  /// Of rows and of columns.
  let blockCounts: [Int]
  /// What the numbers are.
  let floats: [Float]

  /// By their bits without the sign: 126 numbers from 0 to 448.
  static let magnitudes: [Float] = (0..<127).map { bits in
    let (exponent, fraction) = (bits >> 3, Float(bits & 7) / 8)
    return exponent == 0
      ? fraction * Float(sign: .plus, exponent: -6, significand: 1)
      : (1 + fraction) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
  }

  init(_ values: [Float], rowCount: Int, columnCount: Int) {
    let counts = [rowCount, columnCount].map { ($0 + Self.block - 1) / Self.block }
    func block(_ index: Int) -> Int {
      index / columnCount / Self.block * counts[1] + index % columnCount / Self.block
    }
    var largest = [Float](repeating: 0, count: counts[0] * counts[1])
    for (index, value) in values.enumerated() {
      largest[block(index)] = max(largest[block(index)], abs(value))
    }
    let scales = largest.map { $0 / 448 }
    bytes = values.enumerated().map { index, value in
      let wanted = abs(value) / scales[block(index)]
      let nearest = Self.magnitudes.enumerated().min {
        abs($0.element - wanted) < abs($1.element - wanted)
      }
      return UInt8(nearest?.offset ?? 0) | (value < 0 ? 128 : 0)
    }
    floats = bytes.enumerated().map { index, byte in
      let magnitude = Self.magnitudes[Int(byte & 127)] * scales[block(index)]
      return byte > 127 ? -magnitude : magnitude
    }
    self.scales = scales
    blockCounts = counts
  }
}
