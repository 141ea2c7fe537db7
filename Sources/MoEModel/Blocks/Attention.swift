import MoECore
import MoEKernels

extension Decoder {
  /// hidden += output(attention(norm(hidden))), and the keys and values into the cache.
  ///
  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is token `start` of the chunk.
  func attend(layer: Int, hidden: FloatRows, start: Int) {
    let layout = scratch.layout
    let layerWeights = weights.layers[layer]
    let attention = description.attention
    let count = hidden.rowCount
    let normed = scratch.rows(layout.normed, count: count)
    let query = scratch.rows(layout.query, count: count)
    let key = scratch.rows(layout.key, count: count)
    let value = scratch.rows(layout.value, count: count)
    let attended = scratch.rows(layout.attended, count: count)

    team.rmsNorm(
      hidden, weight: layerWeights.attentionNorm, epsilon: description.normEpsilon, into: normed)
    activations.begin(normed)
    products.removeAll()
    append(layerWeights.query, into: query)
    append(layerWeights.key, into: key)
    append(layerWeights.value, into: value)
    team.multiply(products, as: .queryKeyValue)

    normalize(query, headCount: attention.headCount, weight: layerWeights.queryNorm)
    normalize(key, headCount: attention.keyValueHeadCount, weight: layerWeights.keyNorm)
    rotate(query, headCount: attention.headCount, start: start)
    rotate(key, headCount: attention.keyValueHeadCount, start: start)

    segments.removeAll(keepingCapacity: true)
    segments.append(
      AttentionSegment(
        view: cache.view(layer: layer), position: position + start, rowCount: count))
    team.appendKV(keys: key, values: value, to: segments)
    team.attend(
      query, headCount: attention.headCount, over: segments,
      scoring: AttentionScoring(scale: attention.scale), partials: cache.partials,
      into: attended)

    // The norm's rows are free again: they take the projected output.
    activations.begin(attended)
    products.removeAll()
    append(layerWeights.attentionOutput, into: normed)
    team.multiply(products, as: .attentionOutput)
    team.add(normed.storage, to: hidden.storage)
  }

  private func normalize(_ rows: FloatRows, headCount: Int, weight: FloatView) {
    switch description.attention.queryKeyNorm {
    case .wholeProjection:
      team.rmsNorm(rows, weight: weight, epsilon: description.normEpsilon, into: rows)
    case .perHead:
      team.rmsNormHeads(
        rows, headCount: headCount, weight: weight, epsilon: description.normEpsilon)
    }
  }

  private func rotate(_ rows: FloatRows, headCount: Int, start: Int) {
    let layout = scratch.layout
    let count = rows.rowCount
    team.rotate(
      rows, headCount: headCount, headDimension: description.attention.headDimension,
      cosines: scratch.rows(layout.cosines, count: start + count).rows(start, count: count),
      sines: scratch.rows(layout.sines, count: start + count).rows(start, count: count),
      pairing: description.attention.rotary.pairing)
  }
}
