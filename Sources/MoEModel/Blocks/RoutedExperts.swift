import MoECore
import MoEExperts
import MoEKernels

extension Decoder {
  /// What the layer's router selects for a tile of tokens, whose first is token `start` of the
  /// chunk; kept for `addExperts`, with the rows that the experts will read.
  func route(layer: Int, hidden: FloatRows, start: Int) {
    let layout = scratch.layout
    let layerWeights = weights.layers[layer]
    let count = hidden.rowCount
    let normed = scratch.rows(layout.normed, count: count)
    team.rmsNorm(
      hidden, weight: layerWeights.feedForwardNorm, epsilon: description.normEpsilon, into: normed)
    for form in layout.expertInputForms.keys {
      team.quantize(normed, into: expertInput(form: form, start: start, count: count))
    }
    activations.begin(normed)
    let logits = scratch.rows(layout.routerLogits, count: count)
    products.removeAll()
    append(layerWeights.router, into: logits)
    team.multiply(products, as: .router)
    let selection = selection(start: start, count: count)
    timed(.select) {
      select(
        layer: layer, logits: logits,
        scratch: scratch.rows(layout.routerProbabilities, count: count), into: selection)
    }
    observer?.didRoute(
      layer: layer, position: position + start, logits: logits, selection: selection)
  }

  /// The experts of a tile's tokens, by the model's own rule and by the gating, where there is one
  /// that has a say in this phase.
  private func select(
    layer: Int, logits: FloatRows, scratch: FloatRows, into selection: Selection
  ) {
    let selectionCount = logits.rowCount
    var expertCount = selectionCount * selection.expertsPerToken
    if var gating, phase == .decode || !gating.dependsOnResidency {
      // Taken out while it is in use, so that it is not copied.
      self.gating = nil
      expertCount = router.select(
        logits: logits, probabilities: scratch, into: selection, layer: layer,
        residency: experts, gating: &gating)
      self.gating = gating
    } else {
      router.select(logits: logits, probabilities: scratch, into: selection)
    }
    routed[phase].selectionCount += selectionCount
    routed[phase].expertCount += expertCount
  }

  /// hidden += weight * expert(norm(hidden)) for each expert that was selected.
  ///
  /// A token's experts are added in ascending order of their index, whatever order they arrive in
  /// and whatever other tokens share the step: so no budget, policy or chunk size changes a bit.
  func addExperts(layer: Int, hidden: FloatRows) throws {
    let layout = scratch.layout
    let count = hidden.rowCount
    let selection = selection(start: 0, count: count)
    grouping.group(
      selection, tokens: scratch.indices(layout.groupTokens),
      weights: scratch.floats(layout.groupWeights))
    experts.willBegin(
      layer: layer, experts: selection.experts, stride: selection.expertStride, tokenCount: count,
      expertsPerToken: selection.expertsPerToken)
    try timed(.request) { try experts.begin(layer: layer, requests: grouping.requests) }
    defer { experts.end() }
    lookAhead.observe(layer: layer, selection)
    lookAhead(to: layer + 1, hidden: hidden)
    if count == 1 && grouping.requests.count <= experts.simultaneousExpertCount(layer: layer) {
      try computeOneToken(into: hidden)
    } else {
      try computeGroups(into: hidden)
    }
  }

  /// Where the selection of some of the chunk's tokens is kept.
  private func selection(start: Int, count: Int) -> Selection {
    let layout = scratch.layout
    let experts = scratch.indices(layout.selectedExperts)
    let weights = scratch.allFloats(layout.selectedWeights)
    let stride = layout.selectedExperts.rowByteCount / 4
    return Selection(
      tokenCount: count, expertsPerToken: description.router.expertsPerToken,
      experts: experts.slice(start * stride, count: count * stride),
      weights: weights.slice(start * stride, count: count * stride),
      expertStride: stride, weightStride: stride)
  }

  /// The rows that experts read, of some of the chunk's tokens.
  private func expertInput(form: ActivationForm, start: Int, count: Int) -> ActivationRows {
    scratch.activations(
      scratch.layout.expertInputForms, form: form, count: start + count,
      columns: description.hiddenSize
    ).rows(start, count: count)
  }

  /// Decode: the experts of one token side by side, in waves as they become ready; hits are
  /// computed while misses load.
  private func computeOneToken(into hidden: FloatRows) throws {
    let layout = scratch.layout
    let expertCount = grouping.requests.count
    let gate = scratch.rows(layout.gate, count: expertCount)
    let up = scratch.rows(layout.up, count: expertCount)
    let down = scratch.rows(layout.down, count: expertCount)
    while try timed(.request, { try experts.waitForAny(&ready) }) > 0 {
      products.removeAll()
      for number in ready {
        let expert = experts.weights(of: number)
        for (matrix, output) in [(gated(expert), gate), (expert.up, up)] {
          products.append(
            matrix, expertInput(form: matrix.format.activation, start: 0, count: 1),
            into: output.rows(number, count: 1))
        }
      }
      team.multiply(products, as: .gateUp)
      products.removeAll()
      for number in ready {
        let inner = gate.rows(number, count: 1)
        team.activate(.swiGLU, gate: inner, up: up.rows(number, count: 1))
        let expert = experts.weights(of: number)
        let form = expert.down.format.activation
        products.append(
          expert.down, innerActivations(inner, form: form, row: number),
          into: down.rows(number, count: 1))
      }
      team.multiply(products, as: .down)
      for number in ready { experts.release(number) }
    }
    team.scatterAdd(
      down, tokens: scratch.indices(layout.groupTokens).slice(0, count: expertCount),
      weights: scratch.floats(layout.groupWeights).slice(0, count: expertCount), into: hidden)
  }

  /// Prefill: one expert after the other, each for all tokens that take it, a tile of them at a
  /// time; later experts load meanwhile.
  private func computeGroups(into hidden: FloatRows) throws {
    let layout = scratch.layout
    for number in grouping.requests.indices {
      let group = grouping.starts[number]..<grouping.starts[number + 1]
      try timed(.request) { try experts.wait(for: number) }
      let expert = experts.weights(of: number)
      for tile in layout.tiles(of: group.count) {
        let start = group.lowerBound + tile.lowerBound
        compute(
          expert,
          tokens: scratch.indices(layout.groupTokens).slice(start, count: tile.count),
          weights: scratch.floats(layout.groupWeights).slice(start, count: tile.count),
          chunkTokenCount: hidden.rowCount, into: hidden)
      }
      experts.release(number)
    }
  }

  /// One expert for a tile of the tokens that take it.
  private func compute(
    _ expert: ExpertWeights, tokens: IndexView, weights: FloatView, chunkTokenCount: Int,
    into hidden: FloatRows
  ) {
    let layout = scratch.layout
    let gate = scratch.rows(layout.gate, count: tokens.count)
    let up = scratch.rows(layout.up, count: tokens.count)
    let down = scratch.rows(layout.down, count: tokens.count)
    let (gateMatrix, gateForm) = (gated(expert), gated(expert).format.activation)
    let upForm = expert.up.format.activation
    let gateInput = gathered(tokens, form: gateForm, chunkTokenCount: chunkTokenCount)
    let upInput =
      upForm == gateForm
      ? gateInput : gathered(tokens, form: upForm, chunkTokenCount: chunkTokenCount)
    products.removeAll()
    products.append(gateMatrix, gateInput, into: gate)
    products.append(expert.up, upInput, into: up)
    team.multiply(products, as: .gateUp)
    team.activate(.swiGLU, gate: gate, up: up)
    products.removeAll()
    products.append(
      expert.down, innerActivations(gate, form: expert.down.format.activation, row: 0),
      into: down)
    team.multiply(products, as: .down)
    team.scatterAdd(down, tokens: tokens, weights: weights, into: hidden)
  }

  /// The gate, which every architecture's experts have so far.
  private func gated(_ expert: ExpertWeights) -> QuantizedMatrix {
    guard let gate = expert.gate else { preconditionFailure("an expert without a gate") }
    return gate
  }

  /// The input rows of an expert's tokens, side by side.
  private func gathered(
    _ tokens: IndexView, form: ActivationForm, chunkTokenCount: Int
  ) -> ActivationRows {
    let rows = scratch.activations(
      scratch.layout.gatheredForms, form: form, count: tokens.count,
      columns: description.hiddenSize)
    team.gather(
      expertInput(form: form, start: 0, count: chunkTokenCount), rows: tokens, into: rows)
    return rows
  }

  /// An expert's inner state in the form that its down projection wants, kept from row `row` on.
  private func innerActivations(
    _ inner: FloatRows, form: ActivationForm, row: Int
  ) -> ActivationRows {
    if form == .f32 { return inner.asActivations }
    let columns = inner.columnCount
    let all = scratch.activations(
      scratch.layout.innerForms, form: form, count: row + inner.rowCount, columns: columns)
    let skipped = row * all.rowByteCount
    let rows = ActivationRows(
      all.bytes.slice(skipped, count: inner.rowCount * all.rowByteCount),
      rowCount: inner.rowCount, columnCount: columns, form: form)
    team.quantize(inner, into: rows)
    return rows
  }
}
