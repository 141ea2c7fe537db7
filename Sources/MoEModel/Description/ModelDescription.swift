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
  /// Of every RMS norm.
  package var normEpsilon: Float
  /// By number in the file (`blk.N`).
  package var layers: [LayerDescription]
  /// The name of the last norm, without `.weight`.
  package var outputNormName = "output_norm"
  /// Tensors that files of the family carry and that are not read, all of whose names begin so:
  /// next-token-prediction layers, for example.
  package var leftOutTensors: [String] = []

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
  package var feedForward: FeedForward?
}

/// What works on each position by itself: parts side by side that read the same normed rows.
package struct FeedForward: Sendable, Equatable {
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "ffn_norm"
  package var parts: [FeedForwardPart]

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
  package static let rotaryFactors = TensorRole(rawValue: "rotary factors")
  package static let feedForwardNorm = TensorRole(rawValue: "feed-forward norm")
}

extension ModelDescription {
  /// The name of the embedding's tensor, whose shape says how large the vocabulary is.
  package static let embeddingName = "token_embd.weight"

  /// The tensors beside the layers.
  package var endTensors: TensorTable {
    var table = TensorTable()
    table.matrix(.embedding, Self.embeddingName, rows: vocabularySize, columns: hiddenSize)
    table.vector(.outputNorm, outputNormName + ".weight", count: hiddenSize)
    // Where there is none, the embedding serves as output matrix too.
    table.matrix(
      .output, "output.weight", rows: vocabularySize, columns: hiddenSize, isOptional: true)
    if let rotary = rotaries.first {
      table.vector(
        .rotaryFactors, "rope_freqs.weight", count: rotary.dimension / 2, isOptional: true)
    }
    return table
  }
}

extension LayerDescription {
  /// The layer's dense tensors.
  package func tensors(_ layer: Int, _ model: ModelDescription) -> TensorTable {
    var table = TensorTable(layer: layer)
    mixer?.addTensors(to: &table, hiddenSize: model.hiddenSize)
    feedForward?.addTensors(to: &table, hiddenSize: model.hiddenSize)
    return table
  }
}

extension FeedForward {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.feedForwardNorm, normName + ".weight", count: hiddenSize)
    for part in parts {
      switch part {
      case .dense(let dense): dense.addTensors(to: &table, hiddenSize: hiddenSize)
      case .routed(let routed): routed.addTensors(to: &table, hiddenSize: hiddenSize)
      }
    }
  }
}
