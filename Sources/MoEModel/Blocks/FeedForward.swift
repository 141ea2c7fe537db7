import MoECore
import MoEKernels

/// What a tile of rows, or a step, needs of scratch memory in a layer's feed-forward part.
struct FeedForwardScratch: Sendable {
  /// (row of a tile, hiddenSize): what the parts read.
  let normed: ScratchRegion
  /// (row, hiddenSize): the parts' sum, where it does not go to the residual stream as it is. Rows
  /// of the step where experts are routed, which give all rows at once; else of a tile.
  let sum: ScratchRegion?
  /// In the order of the parts that are dense.
  private(set) var dense: [DenseFeedForwardScratch] = []
  private(set) var routed: RoutedExpertsScratch?

  init(
    _ feedForward: FeedForward, layer: Int, description: ModelDescription, tensors: ModelTensors,
    in arena: inout ScratchArena
  ) {
    let hiddenSize = description.hiddenSize
    normed = arena.rows(arena.tileRowCount, columns: hiddenSize)
    let sumRowCount = feedForward.routed == nil ? arena.tileRowCount : arena.rowCountMax
    sum = feedForward.join == .plain ? nil : arena.rows(sumRowCount, columns: hiddenSize)
    for part in feedForward.parts {
      switch part {
      case .dense(let part):
        dense.append(DenseFeedForwardScratch(part, hiddenSize: hiddenSize, in: &arena))
      case .routed(let part):
        routed = RoutedExpertsScratch(
          part, layer: layer, description: description, tensors: tensors, in: &arena)
      }
    }
  }
}

/// A layer's feed-forward parts: each adds to their sum, which joins the residual stream.
struct FeedForwardBlock {
  let routed: RoutedExpertsBlock?
  private let norm: Norm
  private let dense: [DenseFeedForwardBlock]
  private let join: ResidualJoin
  private let scratch: FeedForwardScratch

  init(
    _ feedForward: FeedForward, layer: Int, weights: LoadedTensors, scratch: FeedForwardScratch,
    memory: borrowing Scratch, _ model: ModelDescription
  ) {
    let norm = Norm(.feedForwardNorm, in: weights, model)
    var denseBlocks: [DenseFeedForwardBlock] = []
    var routedBlock: RoutedExpertsBlock?
    for part in feedForward.parts {
      switch part {
      case .dense(let part):
        denseBlocks.append(
          DenseFeedForwardBlock(
            part, weights: weights, scratch: scratch.dense[denseBlocks.count], model))
      case .routed(let part):
        guard let own = scratch.routed else { continue }
        routedBlock = RoutedExpertsBlock(
          part, layer: layer, layerNorm: norm, weights: weights, scratch: own, memory: memory,
          model)
      }
    }
    self.norm = norm
    self.scratch = scratch
    (dense, routed) = (denseBlocks, routedBlock)
    join = ResidualJoin(feedForward.join, role: .feedForwardPostNorm, in: weights, model)
  }

  /// - Parameter hidden: (row of the step, hiddenSize)
  func callAsFunction(_ hidden: FloatRows, _ decoder: Decoder) throws {
    guard let routed else { return runDense(hidden, decoder) }
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      let input = routed.description.readsLayerNorm ? normalized(rows, decoder) : nil
      routed.route(rows, normed: input, start: tile.lowerBound, decoder)
    }
    let sum = emptySum(of: hidden.rowCount, decoder)
    let work = try routed.begin(hidden: hidden, into: sum ?? hidden, decoder)
    // Computed while experts are read. The rows of a single tile have been normed, and are added to
    // only after each of them was read.
    let isNormed = routed.description.readsLayerNorm && hidden.rowCount <= scratch.normed.rowCount
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) where !dense.isEmpty {
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      let input =
        isNormed
        ? decoder.scratch.rows(scratch.normed, count: tile.count) : normalized(rows, decoder)
      let target = sum?.rows(tile.lowerBound, count: tile.count) ?? rows
      for block in dense { block(input, into: target, decoder) }
    }
    try routed.finish(work, into: sum ?? hidden, decoder)
    if let sum { join(sum, to: hidden, decoder.team) }
  }

  private func runDense(_ hidden: FloatRows, _ decoder: Decoder) {
    for tile in decoder.scratch.layout.tiles(of: hidden.rowCount) {
      let rows = hidden.rows(tile.lowerBound, count: tile.count)
      let (input, sum) = (normalized(rows, decoder), emptySum(of: tile.count, decoder))
      for block in dense { block(input, into: sum ?? rows, decoder) }
      if let sum { join(sum, to: rows, decoder.team) }
    }
  }

  /// Where the parts' results are added up; nil where that is the stream itself.
  private func emptySum(of rowCount: Int, _ decoder: Decoder) -> FloatRows? {
    guard let region = scratch.sum else { return nil }
    let sum = decoder.scratch.rows(region, count: rowCount)
    sum.clear()
    return sum
  }

  private func normalized(_ rows: FloatRows, _ decoder: Decoder) -> FloatRows {
    let result = decoder.scratch.rows(scratch.normed, count: rows.rowCount)
    norm(rows, into: result, decoder.team)
    return result
  }
}
