import MoECore
import MoEKernels

/// Rows of scratch memory that something writes and reads.
struct ScratchRegion: Sendable, Equatable {
  var offset: Int
  var rowCount: Int
  var columnCount: Int
  /// Bytes from one row to the next.
  var rowByteCount: Int
}

/// Lays regions out one after the other. Rows are padded to 64 bytes: 32-bit float rows then serve
/// as activation rows as they are.
///
/// What lives as long as a step lies first; what a block needs while it runs lies behind it, where
/// the next block's needs lie too.
struct ScratchArena: Sendable {
  /// Rows of a whole step at most, and of a tile of it.
  let rowCountMax: Int
  let tileRowCount: Int
  private var end = 0
  /// Where blocks' regions begin, and the furthest that any block's have come.
  private var blockStart: Int?
  private(set) var byteCount = 0

  init(rowCountMax: Int, tileRowCount: Int) {
    self.rowCountMax = rowCountMax
    self.tileRowCount = tileRowCount
  }

  mutating func rows(
    _ rowCount: Int, columns: Int, rowByteCount: Int? = nil
  ) -> ScratchRegion {
    let stride = rowByteCount ?? (columns * 4 + 63) / 64 * 64
    let region = ScratchRegion(
      offset: end, rowCount: rowCount, columnCount: columns, rowByteCount: stride)
    end += (rowCount * stride + 63) / 64 * 64
    byteCount = max(byteCount, end)
    return region
  }

  /// Rows in one of the forms that products read.
  mutating func rows(
    _ rowCount: Int, columns: Int, form: ActivationForm
  ) -> ScratchRegion {
    rows(rowCount, columns: columns, rowByteCount: form.rowByteCount(columnCount: columns))
  }

  /// What follows is a block's; what other blocks had is free, but for what the first so many bytes
  /// of it hold.
  mutating func beginBlock(keeping byteCount: Int = 0) {
    let start = blockStart ?? end
    blockStart = start
    end = start + byteCount
  }

  /// Bytes of the block so far.
  var blockByteCount: Int { end - (blockStart ?? end) }
}

/// Sizes of everything a forward pass writes, for one step of up to `tokenCount` rows.
///
/// A step goes through each layer as a whole, so that an expert is read once for all its rows; but
/// what only passes through (queries, an expert's inner state) is made for a tile of at most
/// `tileTokenCount` rows at a time. So a long chunk costs little more than its residual stream.
///
/// Laid out before anything is allocated, so that the memory plan and the decoder agree to the
/// byte.
package struct ScratchLayout: Sendable {
  /// What the blocks of one layer need.
  struct Layer: Sendable {
    var mixer: MixerScratch?
    var feedForward: FeedForwardScratch?
  }

  /// The tables of one rotary embedding: (row of the step, pair).
  struct Rotary: Sendable {
    var cosines: ScratchRegion
    var sines: ScratchRegion
  }

  package let tokenCount: Int
  package let tileTokenCount: Int
  package let logitRowCount: Int
  package let byteCount: Int

  /// (row of the step, hiddenSize): the residual stream.
  let hidden: ScratchRegion
  /// (row of the step): token ids.
  let tokens: ScratchRegion
  let rotaries: [Rotary]
  /// Rows in the forms that dense matrices read: those of a tile.
  let inputForms: [ActivationForm: ScratchRegion]
  /// (logit row, hiddenSize), (logit row, vocabularySize)
  let outputNormed: ScratchRegion
  let logits: ScratchRegion
  /// What the executor of experts computes in.
  let experts: ExpertRegions
  let layers: [Layer]

  package init(
    description: ModelDescription, tensors: ModelTensors, tokenCount: Int, logitRowCount: Int
  ) {
    precondition(tokenCount >= 1 && logitRowCount >= 1)
    self.tokenCount = tokenCount
    self.logitRowCount = logitRowCount
    let tile = min(tokenCount, Self.tileTokenCountMax)
    tileTokenCount = tile
    var arena = ScratchArena(rowCountMax: tokenCount, tileRowCount: tile)
    hidden = arena.rows(tokenCount, columns: description.hiddenSize)
    tokens = arena.rows(1, columns: tokenCount)
    rotaries = description.rotaries.map { rotary in
      // The kernel takes these two without padding.
      let pairCount = rotary.dimension / 2
      func table() -> ScratchRegion {
        arena.rows(tokenCount, columns: pairCount, rowByteCount: pairCount * 4)
      }
      return Rotary(cosines: table(), sines: table())
    }
    let inputRowCount = max(tile, logitRowCount)
    // Floats are read where they are.
    var forms: [ActivationForm: ScratchRegion] = [:]
    for (form, columns) in Self.widestInputs(tensors).sorted(by: { $0.value < $1.value }) {
      forms[form] = arena.rows(inputRowCount, columns: columns, form: form)
    }
    inputForms = forms
    arena.beginBlock()
    outputNormed = arena.rows(logitRowCount, columns: description.hiddenSize)
    logits = arena.rows(logitRowCount, columns: description.vocabularySize)
    arena.beginBlock()
    experts = ExpertRegions(
      description, matrices: tensors.layers.indices.flatMap(tensors.expertMatrices), in: &arena)
    let expertByteCount = arena.blockByteCount
    layers = description.layers.indices.map {
      Self.layer(
        $0, description: description, tensors: tensors, expertByteCount: expertByteCount,
        in: &arena)
    }
    byteCount = arena.byteCount
  }

  private static func layer(
    _ number: Int, description: ModelDescription, tensors: ModelTensors, expertByteCount: Int,
    in arena: inout ScratchArena
  ) -> Layer {
    let layer = description.layers[number]
    let hiddenSize = description.hiddenSize
    arena.beginBlock()
    let mixer = layer.mixer.map {
      MixerScratch($0, hiddenSize: hiddenSize, tensors: tensors.layers[number], in: &arena)
    }
    arena.beginBlock(keeping: layer.feedForward?.routed == nil ? 0 : expertByteCount)
    let feedForward = layer.feedForward.map {
      FeedForwardScratch(
        $0, layer: number, description: description, tensors: tensors, in: &arena)
    }
    return Layer(mixer: mixer, feedForward: feedForward)
  }

  /// The most columns that a dense matrix reads in each form, floats apart.
  private static func widestInputs(_ tensors: ModelTensors) -> [ActivationForm: Int] {
    var widest: [ActivationForm: Int] = [:]
    for matrix in tensors.sets.flatMap(\.matrices) where matrix.format.activation != .f32 {
      widest[matrix.format.activation, default: 0] = max(
        widest[matrix.format.activation] ?? 0, matrix.columnCount)
    }
    return widest
  }

  /// Enough rows for products to run at full speed, few enough for the third-level cache.
  package static let tileTokenCountMax = 256

  /// The tiles of a step of `count` rows, in order.
  func tiles(of count: Int) -> some Sequence<Range<Int>> {
    stride(from: 0, to: count, by: tileTokenCount).lazy.map {
      $0..<min($0 + tileTokenCount, count)
    }
  }

  /// What the scratch takes from the memory budget.
  package var mappedByteCount: Int { AlignedBuffer.mappedByteCount(for: byteCount) }
}
