import MoECore
import MoEExperts
import MoEKernels

/// Sizes of everything a forward pass writes, for one chunk of up to `tokenCount` tokens.
///
/// A chunk goes through each layer as a whole, so that an expert is read once for all its tokens;
/// but what only passes through (queries, an expert's inner state) is made for a tile of at most
/// `tileTokenCount` rows at a time. So a long chunk costs little more than its residual stream.
///
/// Laid out before anything is allocated, so that the memory plan and the decoder agree to the
/// byte. Rows are padded to 64 bytes: 32-bit float rows then serve as activation rows as they are.
package struct ScratchLayout: Sendable {
  struct Region: Sendable {
    var offset: Int
    var rowCount: Int
    var columnCount: Int
    /// Bytes from one row to the next.
    var rowByteCount: Int
  }

  package let tokenCount: Int
  package let tileTokenCount: Int
  package let logitRowCount: Int
  package private(set) var byteCount = 0

  // In the shapes, `token` is one of the chunk and `row` one of a tile.

  /// (token, hiddenSize): the residual stream.
  private(set) var hidden: Region
  /// (row, hiddenSize): after a norm; also the attention's projected output.
  private(set) var normed: Region
  /// (row, queryWidth)
  private(set) var query: Region
  /// (row, keyValueWidth)
  private(set) var key: Region
  /// (row, keyValueWidth)
  private(set) var value: Region
  /// (row, queryWidth)
  private(set) var attended: Region
  /// (token, rotary pairs)
  private(set) var cosines: Region
  private(set) var sines: Region
  /// (row, expertCount)
  private(set) var routerLogits: Region
  private(set) var routerProbabilities: Region
  /// (row, hiddenSize): what the next layer's router is shown ahead of its turn.
  private(set) var lookAheadNormed: Region
  /// (token, expertsPerToken)
  private(set) var selectedExperts: Region
  private(set) var selectedWeights: Region
  /// (token * expertsPerToken): the selection sorted by expert.
  private(set) var groupTokens: Region
  private(set) var groupWeights: Region
  /// (row of an expert's batch, expertWidth)
  private(set) var gate: Region
  private(set) var up: Region
  /// (row of an expert's batch, hiddenSize)
  private(set) var down: Region
  /// (token): ids of the chunk.
  private(set) var tokens: Region
  /// (logit row, vocabularySize)
  private(set) var logits: Region
  /// Quantised rows, by form: of what a tile's dense matrices read; of the experts' input, by
  /// token; of an expert's batch of these; of its inner state.
  private(set) var inputForms: [ActivationForm: Region] = [:]
  private(set) var expertInputForms: [ActivationForm: Region] = [:]
  /// Of the rows that the next layer's router is shown.
  private(set) var lookAheadForms: [ActivationForm: Region] = [:]
  private(set) var gatheredForms: [ActivationForm: Region] = [:]
  private(set) var innerForms: [ActivationForm: Region] = [:]

  package init(
    description: ModelDescription, forms: ActivationForms, tokenCount: Int, logitRowCount: Int
  ) {
    precondition(tokenCount >= 1 && logitRowCount >= 1)
    self.tokenCount = tokenCount
    let tile = min(tokenCount, Self.tileTokenCountMax)
    tileTokenCount = tile
    self.logitRowCount = logitRowCount
    let attention = description.attention
    let router = description.router
    let hiddenSize = description.hiddenSize
    // A decode step computes all experts of its token side by side.
    let batch = max(tile, router.expertsPerToken)
    var end = 0
    func region(_ rows: Int, _ columns: Int, rowByteCount: Int? = nil) -> Region {
      let stride = rowByteCount ?? (columns * 4 + 63) / 64 * 64
      defer { end += (rows * stride + 63) / 64 * 64 }
      return Region(offset: end, rowCount: rows, columnCount: columns, rowByteCount: stride)
    }
    hidden = region(tokenCount, hiddenSize)
    normed = region(max(tile, logitRowCount), hiddenSize)
    query = region(tile, attention.queryWidth)
    key = region(tile, attention.keyValueWidth)
    value = region(tile, attention.keyValueWidth)
    attended = region(tile, attention.queryWidth)
    // The kernel takes these two without padding.
    let pairCount = attention.rotary.dimension / 2
    cosines = region(tokenCount, pairCount, rowByteCount: pairCount * 4)
    sines = region(tokenCount, pairCount, rowByteCount: pairCount * 4)
    routerLogits = region(tile, router.expertCount)
    routerProbabilities = region(tile, router.expertCount)
    lookAheadNormed = region(tile, hiddenSize)
    selectedExperts = region(tokenCount, router.expertsPerToken)
    selectedWeights = region(tokenCount, router.expertsPerToken)
    groupTokens = region(1, tokenCount * router.expertsPerToken)
    groupWeights = region(1, tokenCount * router.expertsPerToken)
    gate = region(batch, description.expertWidth)
    up = region(batch, description.expertWidth)
    down = region(batch, hiddenSize)
    tokens = region(1, tokenCount)
    logits = region(logitRowCount, description.vocabularySize)
    let inputWidth = max(hiddenSize, attention.queryWidth)
    func formRegion(_ form: ActivationForm, _ rows: Int, _ columns: Int) -> Region {
      region(rows, columns, rowByteCount: form.rowByteCount(columnCount: columns))
    }
    // Floats are read where they are; only the experts' input is kept beyond its tile.
    for form in forms.input.subtracting([.f32]) {
      inputForms[form] = formRegion(form, max(tile, logitRowCount), inputWidth)
    }
    for form in forms.router.subtracting([.f32]) {
      lookAheadForms[form] = formRegion(form, tile, hiddenSize)
    }
    for form in forms.expertInput {
      expertInputForms[form] = formRegion(form, tokenCount, hiddenSize)
      gatheredForms[form] = formRegion(form, tile, hiddenSize)
    }
    for form in forms.expertInner.subtracting([.f32]) {
      innerForms[form] = formRegion(form, batch, description.expertWidth)
    }
    byteCount = end
  }

  /// Enough rows for products to run at full speed, few enough for the third-level cache.
  private static let tileTokenCountMax = 256

  /// The tiles of a chunk of `count` tokens, in order.
  func tiles(of count: Int) -> some Sequence<Range<Int>> {
    stride(from: 0, to: count, by: tileTokenCount).lazy.map {
      $0..<min($0 + tileTokenCount, count)
    }
  }

  /// What the scratch takes from the memory budget.
  package var mappedByteCount: Int { AlignedBuffer.mappedByteCount(for: byteCount) }
}

/// The activation forms that a model's weight formats ask for, by what is brought into them.
package struct ActivationForms: Sendable {
  /// Inputs of the dense matrices and of the experts.
  var input: Set<ActivationForm>
  /// Inputs of the routers.
  var router: Set<ActivationForm>
  /// Inputs of the routed experts.
  var expertInput: Set<ActivationForm>
  /// Inputs of the experts' down projections.
  var expertInner: Set<ActivationForm>

  package init(_ tensors: ModelTensors) {
    let matrices = tensors.experts.layers.flatMap(\.matrices)
    expertInput = Set(matrices.filter { $0.role != .down }.map { $0.format.activation })
    expertInner = Set(matrices.filter { $0.role == .down }.map { $0.format.activation })
    router = Set(tensors.layers.map { $0.router.format.activation })
    input = expertInput.union(tensors.dense.map { $0.format.activation })
  }
}

/// The memory behind a `ScratchLayout`, made once.
struct Scratch: ~Copyable {
  let layout: ScratchLayout
  private let buffer: AlignedBuffer

  init(_ layout: ScratchLayout) throws(OutOfMemory) {
    self.layout = layout
    buffer = try AlignedBuffer(byteCount: layout.byteCount)
  }

  borrowing func populate() { buffer.populate() }

  /// The first `count` rows of a region.
  borrowing func rows(_ region: ScratchLayout.Region, count: Int) -> FloatRows {
    precondition(count <= region.rowCount)
    let stride = region.rowByteCount / 4
    let elements = count == 0 ? 0 : (count - 1) * stride + region.columnCount
    return FloatRows(
      buffer.floats(atByteOffset: region.offset, count: elements), rowCount: count,
      columnCount: region.columnCount, stride: stride)
  }

  borrowing func floats(_ region: ScratchLayout.Region) -> FloatView {
    buffer.floats(atByteOffset: region.offset, count: region.columnCount)
  }

  /// A whole region, padding included.
  borrowing func allFloats(_ region: ScratchLayout.Region) -> FloatView {
    buffer.floats(
      atByteOffset: region.offset, count: region.rowCount * region.rowByteCount / 4)
  }

  /// Whole regions, by form.
  borrowing func bytes(
    _ regions: [ActivationForm: ScratchLayout.Region]
  )
    -> [ActivationForm: ByteView]
  {
    var views: [ActivationForm: ByteView] = [:]
    for (form, region) in regions {
      views[form] = buffer.bytes(
        atOffset: region.offset, count: region.rowCount * region.rowByteCount)
    }
    return views
  }

  borrowing func indices(_ region: ScratchLayout.Region) -> IndexView {
    let count = region.rowCount * region.rowByteCount / 4
    let bytes = buffer.bytes(atOffset: region.offset, count: count * 4)
    return unsafe IndexView(bytes.pointer.assumingMemoryBound(to: UInt32.self), count: count)
  }

  /// Room for `count` rows of `columns` elements in one form.
  borrowing func activations(
    _ regions: [ActivationForm: ScratchLayout.Region], form: ActivationForm, count: Int,
    columns: Int
  ) -> ActivationRows {
    guard let region = regions[form] else {
      preconditionFailure("the layout has a region for every form that is written")
    }
    let byteCount = region.rowCount * region.rowByteCount
    return ActivationRows(
      buffer.bytes(atOffset: region.offset, count: byteCount), rowCount: count,
      columnCount: columns, form: form)
  }
}

extension FloatRows {
  /// These rows as activation rows of the form f32, without a copy: scratch rows are padded to the
  /// 64 bytes that activation rows are apart.
  var asActivations: ActivationRows {
    let rowByteCount = ActivationForm.f32.rowByteCount(columnCount: columnCount)
    precondition(rowByteCount == stride * 4 || rowCount <= 1)
    return unsafe ActivationRows(
      ByteView(storage.pointer, count: max(storage.count * 4, rowCount * rowByteCount)),
      rowCount: rowCount, columnCount: columnCount, form: .f32)
  }
}
