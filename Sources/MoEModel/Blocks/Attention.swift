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
  /// Nil where a layer knows no positions.
  package var rotary: RotaryDescription?
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
    Float(rotary?.scoreFactor ?? 1) / Float(headDimension).squareRoot()
  }
}

/// RMS norms on queries and keys before the rotary embedding.
package enum QueryKeyNorm: Sendable, Equatable {
  case none
  /// One norm over all heads together (OLMoE, arXiv 2409.02060).
  case wholeProjection
  /// Each head by itself, with shared weights (Qwen3, arXiv 2505.09388).
  case perHead
}

extension TensorRole {
  package static let attentionNorm = TensorRole(rawValue: "attention norm")
  package static let query = TensorRole(rawValue: "query projection")
  package static let key = TensorRole(rawValue: "key projection")
  package static let value = TensorRole(rawValue: "value projection")
  package static let attentionOutput = TensorRole(rawValue: "attention's output projection")
  package static let queryBias = TensorRole(rawValue: "query bias")
  package static let keyBias = TensorRole(rawValue: "key bias")
  package static let valueBias = TensorRole(rawValue: "value bias")
  package static let attentionOutputBias = TensorRole(rawValue: "attention's output bias")
  package static let queryNorm = TensorRole(rawValue: "query norm")
  package static let keyNorm = TensorRole(rawValue: "key norm")
  package static let sinks = TensorRole(rawValue: "attention sinks")
}

extension AttentionDescription {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.attentionNorm, normName + ".weight", count: hiddenSize)
    table.matrix(.query, "attn_q.weight", rows: projectedQueryWidth, columns: hiddenSize)
    table.matrix(.key, "attn_k.weight", rows: keyWidth, columns: hiddenSize)
    table.matrix(.value, "attn_v.weight", rows: valueWidth, columns: hiddenSize)
    table.matrix(.attentionOutput, "attn_output.weight", rows: hiddenSize, columns: attendedWidth)
    // Whoever has a bias has it in the file, whatever the family.
    table.vector(.queryBias, "attn_q.bias", count: projectedQueryWidth, isOptional: true)
    table.vector(.keyBias, "attn_k.bias", count: keyWidth, isOptional: true)
    table.vector(.valueBias, "attn_v.bias", count: valueWidth, isOptional: true)
    table.vector(.attentionOutputBias, "attn_output.bias", count: hiddenSize, isOptional: true)
    switch queryKeyNorm {
    case .none: break
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
  }
}

/// hidden += output(attention(norm(hidden))), and the keys and values into the sequences' states.
struct AttentionBlock {
  private let layer: Int
  private let description: AttentionDescription
  private let weights: LoadedTensors
  private let scratch: AttentionScratch
  private let matrices: (query: QuantizedMatrix, key: QuantizedMatrix, value: QuantizedMatrix)
  private let output: QuantizedMatrix
  private let norm: FloatView
  private let norms: (query: FloatView?, key: FloatView?)
  private let biases: (query: FloatView?, key: FloatView?, value: FloatView?, output: FloatView?)
  private let scoring: AttentionScoring
  /// Which of the decoder's rotary tables turns queries and keys.
  private let rotaryNumber: Int?

  init(
    _ description: AttentionDescription, layer: Int, weights: LoadedTensors,
    scratch: AttentionScratch, rotaryNumber: Int?
  ) {
    self.layer = layer
    self.description = description
    self.weights = weights
    self.scratch = scratch
    self.rotaryNumber = rotaryNumber
    matrices = (weights.matrix(.query), weights.matrix(.key), weights.matrix(.value))
    output = weights.matrix(.attentionOutput)
    norm = weights.vector(.attentionNorm)
    norms = (weights.optionalVector(.queryNorm), weights.optionalVector(.keyNorm))
    biases = (
      weights.optionalVector(.queryBias), weights.optionalVector(.keyBias),
      weights.optionalVector(.valueBias), weights.optionalVector(.attentionOutputBias)
    )
    scoring = AttentionScoring(
      scale: description.scale, softCap: description.softCap,
      sinks: weights.optionalVector(.sinks))
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) {
    let (team, count) = (decoder.team, hidden.rowCount)
    let normed = decoder.scratch.rows(scratch.normed, count: count)
    let query = decoder.scratch.rows(scratch.query, count: count)
    let key = decoder.scratch.rows(scratch.key, count: count)
    let value = decoder.scratch.rows(scratch.value, count: count)
    let attended = decoder.scratch.rows(scratch.attended, count: count)
    let gatedQuery = scratch.gatedQuery.map { decoder.scratch.rows($0, count: count) }
    let gate = scratch.gate.map { decoder.scratch.rows($0, count: count) }

    team.rmsNorm(hidden, weight: norm, epsilon: decoder.description.normEpsilon, into: normed)
    decoder.beginProducts(of: normed)
    decoder.append(matrices.query, into: gatedQuery ?? query)
    decoder.append(matrices.key, into: key)
    decoder.append(matrices.value, into: value)
    decoder.multiply(as: .queryKeyValue)
    if let bias = biases.query { team.addBias(bias, to: gatedQuery ?? query) }
    if let bias = biases.key { team.addBias(bias, to: key) }
    if let bias = biases.value { team.addBias(bias, to: value) }
    if let gatedQuery, let gate {
      let (heads, width) = (description.headCount, description.headDimension)
      team.regroup(gatedQuery, groupCount: heads, offset: 0, width: width, into: query)
      team.regroup(gatedQuery, groupCount: heads, offset: width, width: width, into: gate)
    }

    normalize(query, headCount: description.headCount, weight: norms.query, decoder)
    normalize(key, headCount: description.keyValueHeadCount, weight: norms.key, decoder)
    if let rotaryNumber {
      for (rows, headCount) in [
        (query, description.headCount), (key, description.keyValueHeadCount),
      ] {
        decoder.rotate(
          rows, headCount: headCount, headDimension: description.headDimension, start: start,
          rotaryNumber: rotaryNumber)
      }
    }
    decoder.withSegments(layer: layer, rows: start..<start + count) { segments in
      team.appendKV(keys: key, values: value, to: segments)
      team.attend(
        query, headCount: description.headCount, over: segments, limits: description.limits,
        scoring: scoring, partials: decoder.attentionPartials, into: attended)
    }
    if let gate { team.activate(.sigmoidGated, gate: gate, up: attended) }
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: gate ?? attended)
    decoder.append(output, into: normed)
    decoder.multiply(as: .attentionOutput)
    if let bias = biases.output { team.addBias(bias, to: normed) }
    team.add(normed.storage, to: hidden.storage)
  }

  private func normalize(
    _ rows: FloatRows, headCount: Int, weight: FloatView?, _ decoder: Decoder
  ) {
    guard let weight else { return }
    let epsilon = decoder.description.normEpsilon
    switch description.queryKeyNorm {
    case .none: break
    case .wholeProjection:
      decoder.team.rmsNorm(rows, weight: weight, epsilon: epsilon, into: rows)
    case .perHead:
      decoder.team.rmsNormHeads(rows, headCount: headCount, weight: weight, epsilon: epsilon)
    }
  }
}
