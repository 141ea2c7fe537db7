import MoECore
import MoEExperts
import MoEKernels

extension Decoder {
  /// hidden += weighted sum of the chosen experts of norm(hidden).
  ///
  /// A token's experts are summed in ascending order of their index, whatever order they arrive in
  /// and whatever other tokens share the step: so no budget, policy or chunk size changes a bit.
  func addExperts(layer: Int, hidden: FloatRows) throws {
    let layout = scratch.layout
    let layerWeights = weights.layers[layer]
    let count = hidden.rowCount
    let normed = scratch.rows(layout.normed, count: count)
    team.rmsNorm(
      hidden, weight: layerWeights.feedForwardNorm, epsilon: description.normEpsilon, into: normed)
    activations.begin(normed)
    route(layer: layer, tokenCount: count)

    let sum = scratch.rows(layout.expertSum, count: count)
    sum.storage.fill(with: 0)
    try timed(.request) { try experts.begin(layer: layer, requests: grouping.requests) }
    defer { experts.end() }
    if count == 1 && grouping.requests.count <= experts.simultaneousExpertCount(layer: layer) {
      try computeOneToken(into: sum)
    } else {
      try computeGroups(normed, into: sum)
    }
    team.add(sum.storage, to: hidden.storage)
  }

  /// Router logits of the current input, the selection, and its grouping by expert.
  private func route(layer: Int, tokenCount: Int) {
    let layout = scratch.layout
    let logits = scratch.rows(layout.routerLogits, count: tokenCount)
    products.removeAll()
    append(weights.layers[layer].router, into: logits)
    team.multiply(products, as: .router)
    let selection = Selection(
      tokenCount: tokenCount, expertsPerToken: description.router.expertsPerToken,
      experts: scratch.indices(layout.selectedExperts),
      weights: scratch.allFloats(layout.selectedWeights),
      expertStride: layout.selectedExperts.rowByteCount / 4,
      weightStride: layout.selectedWeights.rowByteCount / 4)
    timed(.select) {
      router.select(
        logits: logits, probabilities: scratch.rows(layout.routerProbabilities, count: tokenCount),
        into: selection)
    }
    observer?.didRoute(layer: layer, position: position, logits: logits, selection: selection)
    grouping.group(
      selection, tokens: scratch.indices(layout.groupTokens),
      weights: scratch.floats(layout.groupWeights))
  }

  /// Decode: the experts of one token side by side, in waves as they become ready; hits are
  /// computed while misses load.
  private func computeOneToken(into sum: FloatRows) throws {
    let layout = scratch.layout
    let expertCount = grouping.requests.count
    let gate = scratch.rows(layout.gate, count: expertCount)
    let up = scratch.rows(layout.up, count: expertCount)
    let down = scratch.rows(layout.down, count: expertCount)
    while try timed(.request, { try experts.waitForAny(&ready) }) > 0 {
      products.removeAll()
      for number in ready {
        let expert = experts.weights(of: number)
        append(expert.gate, into: gate.rows(number, count: 1))
        append(expert.up, into: up.rows(number, count: 1))
      }
      team.multiply(products, as: .gateUp)
      products.removeAll()
      for number in ready {
        let inner = gate.rows(number, count: 1)
        team.swiglu(gate: inner, up: up.rows(number, count: 1))
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
      weights: scratch.floats(layout.groupWeights).slice(0, count: expertCount), into: sum)
  }

  /// Prefill: one expert after the other, each for all tokens that take it; later experts load
  /// meanwhile.
  private func computeGroups(_ normed: FloatRows, into sum: FloatRows) throws {
    let layout = scratch.layout
    let tokens = scratch.indices(layout.groupTokens)
    let weights = scratch.floats(layout.groupWeights)
    for number in grouping.requests.indices {
      let start = grouping.starts[number]
      let count = grouping.starts[number + 1] - start
      let rows = tokens.slice(start, count: count)
      let gate = scratch.rows(layout.gate, count: count)
      let up = scratch.rows(layout.up, count: count)
      let down = scratch.rows(layout.down, count: count)
      try timed(.request) { try experts.wait(for: number) }
      let expert = experts.weights(of: number)
      products.removeAll()
      let gateForm = expert.gate.format.activation
      let gateInput = gathered(rows, form: gateForm, columns: normed.columnCount)
      products.append(expert.gate, gateInput, into: gate)
      let upForm = expert.up.format.activation
      let upInput =
        upForm == gateForm
        ? gateInput : gathered(rows, form: upForm, columns: normed.columnCount)
      products.append(expert.up, upInput, into: up)
      team.multiply(products, as: .gateUp)
      team.swiglu(gate: gate, up: up)
      products.removeAll()
      products.append(
        expert.down, innerActivations(gate, form: expert.down.format.activation, row: 0),
        into: down)
      team.multiply(products, as: .down)
      experts.release(number)
      team.scatterAdd(down, tokens: rows, weights: weights.slice(start, count: count), into: sum)
    }
  }

  /// The input rows of an expert's tokens, side by side.
  private func gathered(_ tokens: IndexView, form: ActivationForm, columns: Int) -> ActivationRows {
    let input = activations.rows(form: form, scratch: scratch, team: team)
    let rows = scratch.activations(
      scratch.layout.gatheredForms, form: form, count: tokens.count, columns: columns)
    team.gather(input, rows: tokens, into: rows)
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
