import MoECore
package import MoEKernels

/// Softmax attention over the positions before, query heads sharing key and value heads in groups
/// (GQA, arXiv 2305.13245).
package struct AttentionDescription: Sendable, Equatable {
  package var headCount: Int
  /// Divides `headCount`.
  package var keyValueHeadCount: Int
  /// Elements of a query and of a key.
  package var headDimension: Int
  /// Elements of a value.
  package var valueDimension: Int
  package var queryKeyNorm = QueryKeyNorm.none
  /// Whether queries and keys are normed after the rotary embedding instead of before it.
  package var normsAfterRotary = false
  package var valueSource = ValueSource.projection
  /// Whether each value head goes through an RMS norm without weight.
  package var normsValues = false
  /// Whether the projections of queries, keys and values are one matrix, one after the other.
  package var isFused = false
  /// Nil where a layer knows no positions.
  package var rotary: RotaryDescription?
  /// Nil where queries are the same at all positions.
  package var temperature: AttentionTemperature?
  /// Which of the positions before are seen.
  package var limits = AttentionLimits.causal
  /// Whether each head has a logit that takes part in the softmax and has no value (gpt-oss).
  package var hasSinks = false
  /// Whether each head's sum is scaled, element by element, by the sigmoid of a gate, which the
  /// query projection gives behind each head's query (arXiv 2505.06708; Qwen3-Next). Values have
  /// then as many elements as keys.
  package var hasOutputGate = false
  /// Largest magnitude of a score, by tanh (Gemma 2, arXiv 2408.00118); nil: any.
  package var softCap: Float?
  /// Factor on products of queries and keys that have none of the rotary embedding's; nil: the
  /// inverse root of the head dimension.
  package var productScale: Float?
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "attn_norm"

  package var queryWidth: Int { headCount * headDimension }
  /// Rows of the query projection.
  package var projectedQueryWidth: Int { hasOutputGate ? 2 * queryWidth : queryWidth }
  package var keyWidth: Int { keyValueHeadCount * headDimension }
  package var valueWidth: Int { keyValueHeadCount * valueDimension }
  /// What all heads' sums take, side by side.
  package var attendedWidth: Int { headCount * valueDimension }
  package var shape: AttentionShape {
    AttentionShape(
      queryHeadCount: headCount, keyValueHeadCount: keyValueHeadCount,
      keyDimension: headDimension, valueDimension: valueDimension, limits: limits)
  }
  /// Factor on the dot products before the softmax.
  package var scale: Float {
    Float(rotary?.scoreFactor ?? 1) * (productScale ?? 1 / Float(headDimension).squareRoot())
  }
}

extension TensorRole {
  package static let attentionNorm = TensorRole(rawValue: "attention norm")
  package static let queryKeyValue = TensorRole(rawValue: "query, key and value projection")
  package static let query = TensorRole(rawValue: "query projection")
  package static let key = TensorRole(rawValue: "key projection")
  package static let value = TensorRole(rawValue: "value projection")
  package static let attentionOutput = TensorRole(rawValue: "attention's output projection")
  package static let queryNorm = TensorRole(rawValue: "query norm")
  package static let keyNorm = TensorRole(rawValue: "key norm")
  package static let sinks = TensorRole(rawValue: "attention sinks")
}

extension AttentionDescription {
  func addTensors(to table: inout TensorTable, _ model: ModelDescription) {
    let hiddenSize = model.hiddenSize
    table.norm(.attentionNorm, normName, count: hiddenSize, model.normKind)
    // Whoever has a bias has it in the file, whatever the family.
    func projection(_ role: TensorRole, _ name: String, rows: Int, columns: Int) {
      table.matrix(role, name + ".weight", rows: rows, columns: columns)
      table.vector(role.bias, name + ".bias", count: rows, isOptional: true)
    }
    if isFused {
      projection(
        .queryKeyValue, "attn_qkv", rows: projectedQueryWidth + keyWidth + valueWidth,
        columns: hiddenSize)
    } else {
      projection(.query, "attn_q", rows: projectedQueryWidth, columns: hiddenSize)
      projection(.key, "attn_k", rows: keyWidth, columns: hiddenSize)
      if valueSource == .projection {
        projection(.value, "attn_v", rows: valueWidth, columns: hiddenSize)
      }
    }
    projection(.attentionOutput, "attn_output", rows: hiddenSize, columns: attendedWidth)
    switch queryKeyNorm {
    case .none, .perHeadWithoutWeight: break
    case .wholeProjection:
      table.vector(.queryNorm, "attn_q_norm.weight", count: queryWidth)
      table.vector(.keyNorm, "attn_k_norm.weight", count: keyWidth)
    case .perHead:
      table.vector(.queryNorm, "attn_q_norm.weight", count: headDimension)
      table.vector(.keyNorm, "attn_k_norm.weight", count: headDimension)
    }
    if hasSinks { table.vector(.sinks, "attn_sinks.weight", count: headCount) }
  }
}

/// What a tile of rows needs of scratch memory.
struct AttentionScratch: Sendable {
  /// (row, hiddenSize): after the norm; then the projected output.
  let normed: ScratchRegion
  /// (row, queryWidth)
  let query: ScratchRegion
  /// (row, keyWidth)
  let key: ScratchRegion
  /// (row, valueWidth)
  let value: ScratchRegion
  /// (row, attendedWidth)
  let attended: ScratchRegion
  /// (row, projectedQueryWidth), (row, attendedWidth): where there is an output gate.
  let gatedQuery: ScratchRegion?
  let gate: ScratchRegion?
  /// (row): factors on the queries.
  let temperatures: ScratchRegion

  init(_ description: AttentionDescription, hiddenSize: Int, in arena: inout ScratchArena) {
    let rowCount = arena.tileRowCount
    normed = arena.rows(rowCount, columns: hiddenSize)
    query = arena.rows(rowCount, columns: description.queryWidth)
    key = arena.rows(rowCount, columns: description.keyWidth)
    value = arena.rows(rowCount, columns: description.valueWidth)
    attended = arena.rows(rowCount, columns: description.attendedWidth)
    gatedQuery =
      description.hasOutputGate
      ? arena.rows(rowCount, columns: description.projectedQueryWidth) : nil
    gate =
      description.hasOutputGate ? arena.rows(rowCount, columns: description.attendedWidth) : nil
    temperatures = arena.rows(1, columns: description.temperature == nil ? 0 : rowCount)
  }
}

/// output(attention(norm(hidden))), and the keys and values into the sequences' states.
struct AttentionBlock {
  private let layer: Int
  private let description: AttentionDescription
  private let scratch: AttentionScratch
  private let query: Projection
  private let key: Projection
  /// Nil where the values come from the keys' projection.
  private let value: Projection?
  private let output: Projection
  private let norm: Norm
  private let norms: (query: FloatView?, key: FloatView?)
  private let scoring: AttentionScoring
  /// Which of the decoder's rotary tables turns queries and keys.
  private let rotaryNumber: Int?

  /// A matrix and what is added to its products.
  private struct Projection {
    let matrix: QuantizedMatrix
    let bias: FloatView?

    init(_ role: TensorRole, in weights: LoadedTensors) {
      matrix = weights.matrix(role)
      bias = weights.optionalVector(role.bias)
    }

    private init(matrix: QuantizedMatrix, bias: FloatView?) {
      self.matrix = matrix
      self.bias = bias
    }

    func rows(_ start: Int, count: Int) -> Projection {
      Projection(
        matrix: matrix.rows(start, count: count), bias: bias?.slice(start, count: count))
    }
  }

  init(
    _ description: AttentionDescription, layer: Int, weights: LoadedTensors,
    scratch: AttentionScratch, _ model: ModelDescription
  ) {
    self.layer = layer
    self.description = description
    self.scratch = scratch
    rotaryNumber = description.rotary.flatMap { model.rotaries.firstIndex(of: $0) }
    if description.isFused {
      let all = Projection(.queryKeyValue, in: weights)
      let (queryWidth, keyWidth) = (description.projectedQueryWidth, description.keyWidth)
      query = all.rows(0, count: queryWidth)
      key = all.rows(queryWidth, count: keyWidth)
      value = all.rows(queryWidth + keyWidth, count: description.valueWidth)
    } else {
      query = Projection(.query, in: weights)
      key = Projection(.key, in: weights)
      value = description.valueSource == .projection ? Projection(.value, in: weights) : nil
    }
    precondition(value != nil || description.normsValues)
    output = Projection(.attentionOutput, in: weights)
    norm = Norm(.attentionNorm, in: weights, model)
    norms = (weights.optionalVector(.queryNorm), weights.optionalVector(.keyNorm))
    scoring = AttentionScoring(
      scale: description.scale, softCap: description.softCap,
      sinks: weights.optionalVector(.sinks))
  }

  /// What is made of a tile's rows: (row, queryWidth), (row, keyWidth), (row, valueWidth).
  private struct Heads {
    let query: FloatRows
    let key: FloatRows
    let value: FloatRows
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    let (team, count) = (decoder.team, hidden.rowCount)
    let normed = decoder.scratch.rows(scratch.normed, count: count)
    let attended = decoder.scratch.rows(scratch.attended, count: count)
    let gate = scratch.gate.map { decoder.scratch.rows($0, count: count) }
    norm(hidden, into: normed, team)
    let heads = project(normed, decoder)
    if !description.normsAfterRotary { normalize(heads, decoder) }
    rotate(heads, start: start, decoder)
    if description.normsAfterRotary { normalize(heads, decoder) }
    if let temperature = description.temperature {
      let factors = decoder.scratch.floats(scratch.temperatures).slice(0, count: count)
      decoder.forEachPosition(of: start..<start + count) { row, position in
        factors[row - start] = temperature.factor(position: position)
      }
      team.scale(heads.query, by: 1, factors: factors)
    }
    decoder.withSegments(layer: layer, rows: start..<start + count) { segments in
      team.appendKV(keys: heads.key, values: heads.value, to: segments)
      team.attend(
        heads.query, headCount: description.headCount, over: segments,
        limits: description.limits, scoring: scoring, partials: decoder.attentionPartials,
        into: attended)
    }
    if let gate { team.activate(.sigmoidGated, gate: gate, up: attended) }
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: gate ?? attended)
    decoder.append(output.matrix, into: normed)
    decoder.multiply(as: .attentionOutput)
    if let bias = output.bias { team.addBias(bias, to: normed) }
    return normed
  }

  /// The three products, with their biases; and the values through their norm.
  private func project(_ normed: FloatRows, _ decoder: Decoder) -> Heads {
    let (team, count) = (decoder.team, normed.rowCount)
    let heads = Heads(
      query: decoder.scratch.rows(scratch.query, count: count),
      key: decoder.scratch.rows(scratch.key, count: count),
      value: decoder.scratch.rows(scratch.value, count: count))
    let gatedQuery = scratch.gatedQuery.map { decoder.scratch.rows($0, count: count) }
    decoder.beginProducts(of: normed)
    decoder.append(query.matrix, into: gatedQuery ?? heads.query)
    decoder.append(key.matrix, into: heads.key)
    if let value { decoder.append(value.matrix, into: heads.value) }
    decoder.multiply(as: .queryKeyValue)
    if let bias = query.bias { team.addBias(bias, to: gatedQuery ?? heads.query) }
    if let bias = key.bias { team.addBias(bias, to: heads.key) }
    if let bias = value?.bias { team.addBias(bias, to: heads.value) }
    if let gatedQuery, let gate = scratch.gate {
      let (headCount, width) = (description.headCount, description.headDimension)
      team.regroup(
        gatedQuery, groupCount: headCount, offset: 0, width: width, into: heads.query)
      team.regroup(
        gatedQuery, groupCount: headCount, offset: width, width: width,
        into: decoder.scratch.rows(gate, count: count))
    }
    if description.normsValues {
      team.rmsNormHeads(
        value == nil ? heads.key : heads.value, headCount: description.keyValueHeadCount,
        headDimension: description.valueDimension, epsilon: decoder.description.normEpsilon,
        into: heads.value)
    }
    return heads
  }

  private func rotate(_ heads: Heads, start: Int, _ decoder: Decoder) {
    guard let rotaryNumber else { return }
    func rotate(_ rows: FloatRows, headCount: Int) {
      decoder.rotate(
        rows, headCount: headCount, headDimension: description.headDimension, start: start,
        rotaryNumber: rotaryNumber)
    }
    rotate(heads.query, headCount: description.headCount)
    rotate(heads.key, headCount: description.keyValueHeadCount)
  }

  private func normalize(_ heads: Heads, _ decoder: Decoder) {
    normalize(heads.query, headCount: description.headCount, weight: norms.query, decoder)
    normalize(heads.key, headCount: description.keyValueHeadCount, weight: norms.key, decoder)
  }

  private func normalize(
    _ rows: FloatRows, headCount: Int, weight: FloatView?, _ decoder: Decoder
  ) {
    let epsilon = decoder.description.normEpsilon
    switch description.queryKeyNorm {
    case .none: break
    case .wholeProjection:
      decoder.team.rmsNorm(rows, weight: weight, epsilon: epsilon, into: rows)
    case .perHead, .perHeadWithoutWeight:
      decoder.team.rmsNormHeads(
        rows, headCount: headCount, headDimension: description.headDimension, weight: weight,
        epsilon: epsilon, into: rows)
    }
  }
}
