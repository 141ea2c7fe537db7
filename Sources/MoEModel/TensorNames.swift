/// The names that GGUF gives to the tensors that the decoder reads; the only place they appear.
package enum TensorName {
  package static let embedding = "token_embd.weight"
  package static let outputNorm = "output_norm.weight"
  /// Absent where the embedding serves as output matrix too.
  package static let output = "output.weight"

  package static func attentionNorm(_ layer: Int) -> String { "blk.\(layer).attn_norm.weight" }
  package static func query(_ layer: Int) -> String { "blk.\(layer).attn_q.weight" }
  package static func key(_ layer: Int) -> String { "blk.\(layer).attn_k.weight" }
  package static func value(_ layer: Int) -> String { "blk.\(layer).attn_v.weight" }
  package static func attentionOutput(_ layer: Int) -> String { "blk.\(layer).attn_output.weight" }
  package static func queryNorm(_ layer: Int) -> String { "blk.\(layer).attn_q_norm.weight" }
  package static func keyNorm(_ layer: Int) -> String { "blk.\(layer).attn_k_norm.weight" }
  package static func feedForwardNorm(_ layer: Int) -> String { "blk.\(layer).ffn_norm.weight" }
  package static func router(_ layer: Int) -> String { "blk.\(layer).ffn_gate_inp.weight" }
  package static func gateExperts(_ layer: Int) -> String { "blk.\(layer).ffn_gate_exps.weight" }
  package static func upExperts(_ layer: Int) -> String { "blk.\(layer).ffn_up_exps.weight" }
  package static func downExperts(_ layer: Int) -> String { "blk.\(layer).ffn_down_exps.weight" }
}
