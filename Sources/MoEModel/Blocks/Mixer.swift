import MoEKernels

/// What lets a position see those before it: one block of these. Each is a file of its own; this
/// one has all places that must know which there are.
package enum Mixer: Sendable, Equatable {
  case attention(AttentionDescription)
  case latentAttention(LatentAttentionDescription)
  case deltaNet(DeltaNetDescription)
  case shortConvolution(ShortConvolutionDescription)
  case mamba2(Mamba2Description)

  package var attention: AttentionDescription? {
    if case .attention(let attention) = self { attention } else { nil }
  }

  /// How it looks back at positions; nil where it does not.
  package var attentionShape: AttentionShape? {
    switch self {
    case .attention(let attention): attention.shape
    case .latentAttention(let attention): attention.shape
    case .deltaNet, .shortConvolution, .mamba2: nil
    }
  }

  package var rotary: RotaryDescription? {
    switch self {
    case .attention(let attention): attention.rotary
    case .latentAttention(let attention): attention.rotary
    case .deltaNet, .shortConvolution, .mamba2: nil
    }
  }

  /// What it keeps of a sequence however long that is; nil where it keeps every position.
  package var state: RecurrentState? {
    switch self {
    case .attention, .latentAttention: nil
    case .deltaNet(let deltaNet): deltaNet.state
    case .shortConvolution(let convolution): convolution.state
    case .mamba2(let mamba): mamba.state
    }
  }

  func addTensors(to table: inout TensorTable, _ model: ModelDescription) {
    let hiddenSize = model.hiddenSize
    switch self {
    case .attention(let attention): attention.addTensors(to: &table, model)
    case .latentAttention(let attention):
      attention.addTensors(to: &table, hiddenSize: hiddenSize)
    case .deltaNet(let deltaNet): deltaNet.addTensors(to: &table, hiddenSize: hiddenSize)
    case .shortConvolution(let convolution):
      convolution.addTensors(to: &table, hiddenSize: hiddenSize)
    case .mamba2(let mamba): mamba.addTensors(to: &table, hiddenSize: hiddenSize)
    }
  }
}

/// What a mixer needs of scratch memory, for a tile of rows.
enum MixerScratch: Sendable {
  case attention(AttentionDescription, AttentionScratch)
  case latentAttention(LatentAttentionDescription, LatentAttentionScratch)
  case deltaNet(DeltaNetDescription, DeltaNetScratch)
  case shortConvolution(ShortConvolutionDescription, ShortConvolutionScratch)
  case mamba2(Mamba2Description, Mamba2Scratch)

  /// - Parameter tensors: The layer's.
  init(_ mixer: Mixer, hiddenSize: Int, tensors: TensorSet, in arena: inout ScratchArena) {
    switch mixer {
    case .attention(let attention):
      self = .attention(
        attention, AttentionScratch(attention, hiddenSize: hiddenSize, in: &arena))
    case .latentAttention(let attention):
      self = .latentAttention(
        attention,
        LatentAttentionScratch(attention, hiddenSize: hiddenSize, tensors: tensors, in: &arena))
    case .deltaNet(let deltaNet):
      self = .deltaNet(deltaNet, DeltaNetScratch(deltaNet, hiddenSize: hiddenSize, in: &arena))
    case .shortConvolution(let convolution):
      self = .shortConvolution(
        convolution, ShortConvolutionScratch(hiddenSize: hiddenSize, in: &arena))
    case .mamba2(let mamba):
      self = .mamba2(mamba, Mamba2Scratch(mamba, hiddenSize: hiddenSize, in: &arena))
    }
  }
}

/// A layer's mixer, ready to run.
enum MixerBlock {
  case attention(AttentionBlock)
  case latentAttention(LatentAttentionBlock)
  case deltaNet(DeltaNetBlock)
  case shortConvolution(ShortConvolutionBlock)
  case mamba2(Mamba2Block)

  init(
    _ scratch: MixerScratch, layer: Int, weights: LoadedTensors, _ model: ModelDescription
  ) {
    switch scratch {
    case .attention(let description, let scratch):
      self = .attention(
        AttentionBlock(
          description, layer: layer, weights: weights, scratch: scratch, model))
    case .latentAttention(let description, let scratch):
      self = .latentAttention(
        LatentAttentionBlock(
          description, layer: layer, weights: weights, scratch: scratch,
          rotaryNumber: model.rotaries.firstIndex(of: description.rotary)))
    case .deltaNet(let description, let scratch):
      self = .deltaNet(
        DeltaNetBlock(description, layer: layer, weights: weights, scratch: scratch))
    case .shortConvolution(let description, let scratch):
      self = .shortConvolution(
        ShortConvolutionBlock(description, layer: layer, weights: weights, scratch: scratch))
    case .mamba2(let description, let scratch):
      self = .mamba2(Mamba2Block(description, layer: layer, weights: weights, scratch: scratch))
    }
  }

  /// What it makes of a tile's rows, whose first is row `start` of the step: (row, hiddenSize), to
  /// join the residual stream.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    switch self {
    case .attention(let block): block(hidden, start: start, decoder)
    case .latentAttention(let block): block(hidden, start: start, decoder)
    case .deltaNet(let block): block(hidden, start: start, decoder)
    case .shortConvolution(let block): block(hidden, start: start, decoder)
    case .mamba2(let block): block(hidden, start: start, decoder)
    }
  }
}
