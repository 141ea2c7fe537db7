import MoECore
import MoEExperts
import MoEKernels

/// Sizes of everything a forward pass writes, for one chunk of up to `tokenCount` tokens.
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
  package let logitRowCount: Int
  package private(set) var byteCount = 0

  /// (token, hiddenSize): the residual stream.
  private(set) var hidden: Region
  /// (token, hiddenSize): after a norm; also the attention's projected output.
  private(set) var normed: Region
  /// (token, queryWidth)
  private(set) var query: Region
  /// (token, keyValueWidth)
  private(set) var key: Region
  /// (token, keyValueWidth)
  private(set) var value: Region
  /// (token, queryWidth)
  private(set) var attended: Region
  /// (token, rotary pairs)
  private(set) var cosines: Region
  private(set) var sines: Region
  /// (token, expertCount)
  private(set) var routerLogits: Region
  private(set) var routerProbabilities: Region
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
  /// (token, hiddenSize): weighted sum of the experts.
  private(set) var expertSum: Region
  /// (token): ids of the chunk.
  private(set) var tokens: Region
  /// (logit row, vocabularySize)
  private(set) var logits: Region
  /// Quantised rows, by form: of the layer's input, of an expert's gathered input, of its inner
  /// state.
  private(set) var inputForms: [ActivationForm: Region] = [:]
  private(set) var gatheredForms: [ActivationForm: Region] = [:]
  private(set) var innerForms: [ActivationForm: Region] = [:]

  package init(
    description: ModelDescription, forms: ActivationForms, tokenCount: Int, logitRowCount: Int
  ) {
    precondition(tokenCount >= 1 && logitRowCount >= 1)
    self.tokenCount = tokenCount
    self.logitRowCount = logitRowCount
    let attention = description.attention
    let router = description.router
    let hiddenSize = description.hiddenSize
    // A decode step computes all experts of its token side by side.
    let batch = max(tokenCount, router.expertsPerToken)
    var end = 0
    func region(_ rows: Int, _ columns: Int, rowByteCount: Int? = nil) -> Region {
      let stride = rowByteCount ?? (columns * 4 + 63) / 64 * 64
      defer { end += (rows * stride + 63) / 64 * 64 }
      return Region(offset: end, rowCount: rows, columnCount: columns, rowByteCount: stride)
    }
    hidden = region(tokenCount, hiddenSize)
    normed = region(tokenCount, hiddenSize)
    query = region(tokenCount, attention.queryWidth)
    key = region(tokenCount, attention.keyValueWidth)
    value = region(tokenCount, attention.keyValueWidth)
    attended = region(tokenCount, attention.queryWidth)
    // The kernel takes these two without padding.
    let pairCount = attention.rotary.dimension / 2
    cosines = region(tokenCount, pairCount, rowByteCount: pairCount * 4)
    sines = region(tokenCount, pairCount, rowByteCount: pairCount * 4)
    routerLogits = region(tokenCount, router.expertCount)
    routerProbabilities = region(tokenCount, router.expertCount)
    selectedExperts = region(tokenCount, router.expertsPerToken)
    selectedWeights = region(tokenCount, router.expertsPerToken)
    groupTokens = region(1, tokenCount * router.expertsPerToken)
    groupWeights = region(1, tokenCount * router.expertsPerToken)
    gate = region(batch, description.expertWidth)
    up = region(batch, description.expertWidth)
    down = region(batch, hiddenSize)
    expertSum = region(tokenCount, hiddenSize)
    tokens = region(1, tokenCount)
    logits = region(logitRowCount, description.vocabularySize)
    let inputWidth = max(hiddenSize, attention.queryWidth)
    func formRegion(_ form: ActivationForm, _ rows: Int, _ columns: Int) -> Region {
      region(rows, columns, rowByteCount: form.rowByteCount(columnCount: columns))
    }
    // Floats are read where they are; only gathering copies them.
    for form in forms.input.subtracting([.f32]) {
      inputForms[form] = formRegion(form, max(tokenCount, logitRowCount), inputWidth)
    }
    for form in forms.expertInput { gatheredForms[form] = formRegion(form, tokenCount, hiddenSize) }
    for form in forms.expertInner.subtracting([.f32]) {
      innerForms[form] = formRegion(form, batch, description.expertWidth)
    }
    byteCount = end
  }

  /// What the scratch takes from the memory budget.
  package var mappedByteCount: Int { AlignedBuffer.mappedByteCount(for: byteCount) }
}

/// The activation forms that a model's weight formats ask for, by what is brought into them.
package struct ActivationForms: Sendable {
  /// Inputs of the dense matrices and of the experts.
  var input: Set<ActivationForm>
  /// Inputs of the routed experts.
  var expertInput: Set<ActivationForm>
  /// Inputs of the experts' down projections.
  var expertInner: Set<ActivationForm>

  package init(_ tensors: ModelTensors) {
    expertInput = Set(
      tensors.experts.layers.flatMap { [$0.gate.format.activation, $0.up.format.activation] })
    expertInner = Set(tensors.experts.layers.map { $0.down.format.activation })
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
