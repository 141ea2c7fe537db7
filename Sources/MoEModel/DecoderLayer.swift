import MoECore
import MoEExperts
import MoEKernels

/// One layer's blocks, ready to run.
struct DecoderLayer {
  private let mixer: MixerBlock?
  private let mixerJoin: ResidualJoin
  /// Nil where there is a mixer alone.
  let feedForward: FeedForwardBlock?
  private let outputScale: Float?

  init(
    _ number: Int, description: ModelDescription, weights: DecoderWeights,
    scratch: borrowing Scratch
  ) {
    let layer = description.layers[number]
    let (tensors, regions) = (weights.layers[number], scratch.layout.layers[number])
    mixer = regions.mixer.map {
      MixerBlock($0, layer: number, weights: tensors, description)
    }
    mixerJoin = ResidualJoin(layer.mixerJoin, role: .mixerPostNorm, in: tensors, description)
    feedForward = layer.feedForward.flatMap { part in
      regions.feedForward.map {
        FeedForwardBlock(
          part, layer: number, weights: tensors, scratch: $0, memory: scratch, description)
      }
    }
    outputScale = tensors.optionalVector(.layerOutputScale).map { $0[0] }
  }

  /// Runs the layer on all rows of a step, a tile of them at a time.
  func forward(_ hidden: FloatRows, _ decoder: Decoder, _ cancellation: CancellationFlag?) throws {
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      if cancellation?.isCancelled == true { throw CancellationError() }
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      if let mixer {
        mixerJoin(mixer(rows, start: tile.lowerBound, decoder), to: rows, decoder.team)
      }
      decoder.timed(.request) { decoder.experts.advance() }
    }
    try feedForward?(hidden, decoder)
    if let outputScale { decoder.team.scale(hidden, by: outputScale) }
  }
}
