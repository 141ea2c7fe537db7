import MoECore
import MoEExperts
import MoEKernels

/// One layer's blocks, ready to run.
struct DecoderLayer {
  private let mixer: MixerBlock?
  /// (hiddenSize); nil where there is a mixer alone.
  let feedForwardNorm: FloatView?
  let dense: [DenseFeedForwardBlock]
  let routed: RoutedExpertsBlock?
  /// (row of a tile, hiddenSize)
  private let normed: ScratchRegion

  init(
    _ number: Int, description: ModelDescription, weights: DecoderWeights,
    scratch: borrowing Scratch
  ) {
    let layer = description.layers[number]
    let (tensors, regions) = (weights.layers[number], scratch.layout.layers[number])
    mixer = regions.mixer.map {
      MixerBlock($0, layer: number, weights: tensors, rotaries: description.rotaries)
    }
    feedForwardNorm = layer.feedForward.map { _ in tensors.vector(.feedForwardNorm) }
    normed = regions.normed
    var denseBlocks: [DenseFeedForwardBlock] = []
    var routedBlock: RoutedExpertsBlock?
    for part in layer.feedForward?.parts ?? [] {
      switch part {
      case .dense(let part):
        denseBlocks.append(
          DenseFeedForwardBlock(
            part, weights: tensors, scratch: regions.dense[denseBlocks.count]))
      case .routed(let part):
        guard let own = regions.routed else { continue }
        routedBlock = RoutedExpertsBlock(
          part, layer: number, weights: tensors, scratch: own, memory: scratch)
      }
    }
    dense = denseBlocks
    routed = routedBlock
  }

  /// Runs the layer on all rows of a step, a tile of them at a time.
  func forward(_ hidden: FloatRows, _ decoder: Decoder, _ cancellation: CancellationFlag?) throws {
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      if cancellation?.isCancelled == true { throw CancellationError() }
      mixer?(hidden.rows(tile.lowerBound, count: tile.count), start: tile.lowerBound, decoder)
      decoder.timed(.request) { decoder.experts.advance() }
    }
    guard let routed else { return addDense(to: hidden, isNormed: false, decoder) }
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      routed.route(normalized(rows, decoder), start: tile.lowerBound, decoder)
    }
    let work = try routed.begin(hidden: hidden, decoder)
    // Computed while experts are read.
    addDense(to: hidden, isNormed: hidden.rowCount <= normed.rowCount, decoder)
    try decoder.executor.run(work)
  }

  /// - Parameter isNormed: Whether the rows, of a single tile, have been normed.
  private func addDense(to hidden: FloatRows, isNormed: Bool, _ decoder: Decoder) {
    guard !dense.isEmpty else { return }
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      let input =
        isNormed
        ? decoder.scratch.rows(normed, count: rows.rowCount) : normalized(rows, decoder)
      for block in dense { block(input, into: rows, decoder) }
    }
  }

  private func normalized(_ rows: FloatRows, _ decoder: Decoder) -> FloatRows {
    let result = decoder.scratch.rows(normed, count: rows.rowCount)
    decoder.team.rmsNorm(
      rows, weight: feedForwardNorm, epsilon: decoder.description.normEpsilon, into: result)
    return result
  }
}
