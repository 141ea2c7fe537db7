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
      team.quantize(
        normed, into: expertInput.rows(form, count: start + count).rows(start, count: count))
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
    let work = ExpertWork(
      layer: layer, requests: grouping.requests, starts: grouping.starts,
      rows: scratch.indices(layout.groupTokens), weights: scratch.floats(layout.groupWeights),
      selection: selection, input: expertInput, activation: .swiGLU, output: hidden)
    try executor.begin(work)
    // While the first experts are read.
    lookAhead.observe(layer: layer, selection)
    lookAhead(to: layer + 1, hidden: hidden)
    try executor.run(work)
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
}
