package import MoEKernels

/// What the decoder needs to know of a model: an architecture with the numbers of one file.
///
/// A value read by the one `Decoder`. A new architecture is a new way of filling this in; where it
/// needs a mechanism that no field expresses, the mechanism becomes a field, or a block, first.
/// Nothing here holds for all layers that some family has per layer.
package struct ModelDescription: Sendable, Equatable {
  package var architecture: String
  package var hiddenSize: Int
  package var vocabularySize: Int
  /// Positions that the model was trained for.
  package var contextLength: Int
  /// Of every norm.
  package var normEpsilon: Float
  /// Of the norms before and after blocks and of the last one.
  package var normKind = NormKind.rms
  /// Factor on the embedding's rows.
  package var embeddingScale: Float = 1
  /// Factor on the logits.
  package var logitScale: Float = 1
  /// Largest magnitude of a logit, by tanh (Gemma 2, arXiv 2408.00118, section 2); nil: any.
  package var logitSoftCap: Float?
  /// By number in the file (`blk.N`).
  package var layers: [LayerDescription]
  /// The name of the last norm, without `.weight`.
  package var outputNormName = "output_norm"
  /// Tensors that files of the family carry and that are not read, all of whose names begin so:
  /// next-token-prediction layers, for example.
  package var leftOutTensors: [String] = []
  /// What files of other tools call them, and carry besides.
  package var tensorNames = TensorNames()

  package var layerCount: Int { layers.count }

  /// By layer: nil for those without routed experts.
  package var routers: [RouterDescription?] { layers.map { $0.feedForward?.routed?.router } }

  /// The next layer that has routed experts.
  package func routedLayer(after layer: Int) -> Int? {
    layers.indices.dropFirst(layer + 1).first { layers[$0].feedForward?.routed != nil }
  }

  /// The most experts of a layer, and the most that a token takes in one; 0 in a model without.
  package var expertCountMax: Int { routers.reduce(0) { max($0, $1?.expertCount ?? 0) } }
  package var expertsPerTokenMax: Int { routers.reduce(0) { max($0, $1?.expertsPerToken ?? 0) } }

  /// The attention of the first layer that sees the whole past, or else of the first that has any.
  package var longestAttention: AttentionShape? {
    let all = layers.compactMap { $0.mixer?.attentionShape }
    return all.first { $0.limits == .causal } ?? all.first
  }

  /// The most products that a block has computed together.
  var productCountMax: Int {
    layers.reduce(4) { most, layer in
      guard case .latentAttention(let attention) = layer.mixer else { return most }
      return max(most, attention.productCountMax)
    }
  }

  /// Whether all layers' keys and values can be kept in a type.
  package func canKeep(_ type: KVType) -> Bool {
    layers.allSatisfy { $0.mixer?.attentionShape?.canBeKept(in: type) ?? true }
  }

  /// Every distinct rotary embedding of the layers, in the order of their first use.
  package var rotaries: [RotaryDescription] {
    var found: [RotaryDescription] = []
    for layer in layers {
      if let rotary = layer.mixer?.rotary, !found.contains(rotary) { found.append(rotary) }
    }
    return found
  }
}

/// One layer: a residual stream with a mixer and a feed-forward part on it, each of which adds its
/// result to the stream; or with one of both.
package struct LayerDescription: Sendable, Equatable {
  package var mixer: Mixer?
  package var mixerJoin = Join.plain
  package var feedForward: FeedForward?
  /// Whether the stream is at last multiplied by a factor that the file has.
  package var hasOutputScale = false
}

/// What works on each position by itself: parts side by side whose results are added up.
package struct FeedForward: Sendable, Equatable {
  /// The name of the norm before it, without the layer's prefix and `.weight`: what its parts read,
  /// but for those with a norm of their own.
  package var normName = "ffn_norm"
  package var parts: [FeedForwardPart]
  /// How the parts' sum joins the stream.
  package var join = Join.plain

  /// The routed experts; nil in a dense layer.
  package var routed: RoutedExpertsDescription? {
    for case .routed(let routed) in parts { return routed }
    return nil
  }
}

package enum FeedForwardPart: Sendable, Equatable {
  case dense(DenseFeedForwardDescription)
  /// At most one in a layer.
  case routed(RoutedExpertsDescription)
}

extension TensorRole {
  package static let embedding = TensorRole(rawValue: "embedding")
  package static let outputNorm = TensorRole(rawValue: "output norm")
  package static let output = TensorRole(rawValue: "output")
  package static let mixerPostNorm = TensorRole(rawValue: "norm after the mixer")
  package static let feedForwardNorm = TensorRole(rawValue: "feed-forward norm")
  package static let feedForwardPostNorm = TensorRole(rawValue: "norm after the feed-forward part")
  package static let layerOutputScale = TensorRole(rawValue: "layer's output scale")
}

extension ModelDescription {
  /// The name of the embedding's tensor, whose shape says how large the vocabulary is.
  package static let embeddingName = "token_embd.weight"

  /// The tensors beside the layers.
  package var endTensors: TensorTable {
    var table = TensorTable()
    table.matrix(.embedding, Self.embeddingName, rows: vocabularySize, columns: hiddenSize)
    table.norm(.outputNorm, outputNormName, count: hiddenSize, normKind)
    // Where there is none, the embedding serves as output matrix too.
    table.matrix(
      .output, "output.weight", rows: vocabularySize, columns: hiddenSize, isOptional: true)
    table.vector(.output.bias, "output.bias", count: vocabularySize, isOptional: true)
    addRotaryFactors(to: &table)
    return table
  }
}

extension LayerDescription {
  /// The layer's dense tensors.
  package func tensors(_ layer: Int, _ model: ModelDescription) -> TensorTable {
    var table = TensorTable(layer: layer)
    mixer?.addTensors(to: &table, model)
    if let name = mixerJoin.normName {
      table.norm(.mixerPostNorm, name, count: model.hiddenSize, model.normKind)
    }
    feedForward?.addTensors(to: &table, model)
    if hasOutputScale {
      table.vector(.layerOutputScale, "layer_output_scale.weight", count: 1, isFactor: true)
    }
    return table
  }
}

extension FeedForward {
  func addTensors(to table: inout TensorTable, _ model: ModelDescription) {
    table.norm(.feedForwardNorm, normName, count: model.hiddenSize, model.normKind)
    for part in parts {
      switch part {
      case .dense(let dense): dense.addTensors(to: &table, model)
      case .routed(let routed): routed.addTensors(to: &table, model)
      }
    }
    if let name = join.normName {
      table.norm(.feedForwardPostNorm, name, count: model.hiddenSize, model.normKind)
    }
  }
}
