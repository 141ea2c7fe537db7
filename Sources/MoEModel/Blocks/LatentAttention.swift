import MoECore
import MoEKernels

/// Attention of many heads whose keys and values are all made of one short vector per position, the
/// latent (MLA; DeepSeek-V2, arXiv 2405.04434, section 2.1). One more key, which alone knows the
/// position, is shared by all heads.
///
/// The latent and that key are all that a sequence keeps, as one key/value head of all queries;
/// heads' keys and values are never made. A query is brought to where latents are, by the transpose
/// of what would make keys of them, and what its weights sum up of latents becomes a value
/// afterwards (the "absorbed" form of the paper). For a row by itself no other way is less work.
/// Many rows of a text could share keys and values that were made; but a row's bits must not depend
/// on its company.
package struct LatentAttentionDescription: Sendable, Equatable {
  /// How a file keeps the matrices that make keys and values of latents.
  package enum Storage: Sendable, Equatable {
    /// A tensor for each, that for keys transposed.
    case split
    /// One tensor, each head's rows for keys before those for values.
    case joined
  }

  package var headCount: Int
  /// Elements of the latent of keys and values.
  package var latentDimension: Int
  /// Elements of the latent that queries are made of; nil where they are projected directly.
  package var queryLatentDimension: Int?
  /// Elements of a head's query and key that know nothing of positions.
  package var plainDimension: Int
  /// Elements of a head's value.
  package var valueDimension: Int
  /// Of the rest of a query, and of the key that heads share; it turns as a whole.
  package var rotary: RotaryDescription
  package var storage = Storage.split
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "attn_norm"

  /// Elements of what is kept of a position, and of a query that looks at it.
  package var keptDimension: Int { latentDimension + rotary.dimension }
  package var queryDimension: Int { plainDimension + rotary.dimension }
  /// Factor on the dot products before the softmax.
  package var scale: Float { Float(rotary.scoreFactor) / Float(queryDimension).squareRoot() }

  package var shape: AttentionShape {
    AttentionShape(
      queryHeadCount: headCount, keyValueHeadCount: 1, keyDimension: keptDimension,
      valueDimension: latentDimension, valuesLieInKeys: true)
  }

  /// Each head's two parts of the query at once.
  var productCountMax: Int { 2 * headCount }
}

extension TensorRole {
  package static let queryLatent = TensorRole(rawValue: "projection to the query's latent")
  package static let queryLatentNorm = TensorRole(rawValue: "norm of the query's latent")
  package static let latent = TensorRole(rawValue: "projection to the latent and the shared key")
  package static let latentNorm = TensorRole(rawValue: "norm of the latent")
  package static let keyFromLatent = TensorRole(rawValue: "keys from latents, transposed")
  package static let valueFromLatent = TensorRole(rawValue: "values from latents")
  package static let keyValueFromLatent = TensorRole(rawValue: "keys and values from latents")
}

extension LatentAttentionDescription {
  /// The name of the tensor of `Storage.joined`, which files may carry besides the split ones.
  package static let joinedName = "attn_kv_b.weight"

  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.attentionNorm, normName + ".weight", count: hiddenSize)
    let queryWidth = headCount * queryDimension
    if let queryLatentDimension {
      table.matrix(
        .queryLatent, "attn_q_a.weight", rows: queryLatentDimension, columns: hiddenSize)
      table.vector(.queryLatentNorm, "attn_q_a_norm.weight", count: queryLatentDimension)
      table.matrix(.query, "attn_q_b.weight", rows: queryWidth, columns: queryLatentDimension)
    } else {
      table.matrix(.query, "attn_q.weight", rows: queryWidth, columns: hiddenSize)
    }
    table.matrix(.latent, "attn_kv_a_mqa.weight", rows: keptDimension, columns: hiddenSize)
    table.vector(.latentNorm, "attn_kv_a_norm.weight", count: latentDimension)
    switch storage {
    case .split:
      table.matrix(
        .keyFromLatent, "attn_k_b.weight", rows: headCount * latentDimension,
        columns: plainDimension, headCount: headCount)
      table.matrix(
        .valueFromLatent, "attn_v_b.weight", rows: headCount * valueDimension,
        columns: latentDimension, headCount: headCount)
    case .joined:
      table.matrix(
        .keyValueFromLatent, Self.joinedName, rows: headCount * (plainDimension + valueDimension),
        columns: latentDimension,
        transposed: TransposedRows(
          role: .keyFromLatent, headCount: headCount, rowCount: plainDimension))
    }
    table.matrix(
      .attentionOutput, "attn_output.weight", rows: hiddenSize, columns: headCount * valueDimension)
  }

  /// The tensor that values are made with, and which of its rows.
  var valueRole: TensorRole { storage == .split ? .valueFromLatent : .keyValueFromLatent }
  var valueRows: HeadRows {
    switch storage {
    case .split: HeadRows(headCount: headCount, stride: valueDimension)
    case .joined:
      HeadRows(
        headCount: headCount, stride: plainDimension + valueDimension, start: plainDimension)
    }
  }
}

/// What a tile of rows needs of scratch memory. What is made for every head is made for part of the
/// tile at a time: there are up to 128 heads, each as wide as the latent.
struct LatentAttentionScratch: Sendable {
  /// Rows whose queries are made together.
  private static let partRowCountMax = 64

  /// (row, hiddenSize): after the norm; then the projected output.
  let normed: ScratchRegion
  /// (row, queryLatentDimension)
  let queryLatent: ScratchRegion?
  /// (row, keptDimension): the latent and the shared key.
  let kept: ScratchRegion
  /// (row, head, valueDimension)
  let attended: ScratchRegion
  /// (row of a part, head, plainDimension), without padding
  let plainQuery: ScratchRegion
  /// (row of a part, head, keptDimension)
  let query: ScratchRegion
  /// (row of a part, head, latentDimension), without padding
  let summed: ScratchRegion
  /// (row of a part and head, plainDimension), as keys' matrix reads it
  let plainInput: [ActivationForm: ScratchRegion]
  /// (row of a part and head, latentDimension), as values' matrix reads it
  let summedInput: [ActivationForm: ScratchRegion]

  /// - Parameter tensors: The layer's.
  init(
    _ description: LatentAttentionDescription, hiddenSize: Int, tensors: TensorSet,
    in arena: inout ScratchArena
  ) {
    let (tile, headCount) = (arena.tileRowCount, description.headCount)
    let part = min(tile, Self.partRowCountMax)
    normed = arena.rows(tile, columns: hiddenSize)
    queryLatent = description.queryLatentDimension.map { arena.rows(tile, columns: $0) }
    kept = arena.rows(tile, columns: description.keptDimension)
    attended = arena.rows(tile, columns: headCount * description.valueDimension)
    query = arena.rows(part, columns: headCount * description.keptDimension)
    func heads(_ dimension: Int) -> ScratchRegion {
      arena.rows(part, columns: headCount * dimension, rowByteCount: headCount * dimension * 4)
    }
    func inputs(_ form: ActivationForm?, _ dimension: Int) -> [ActivationForm: ScratchRegion] {
      guard let form else { return [:] }
      return [form: arena.rows(part * headCount, columns: dimension, form: form)]
    }
    plainQuery = heads(description.plainDimension)
    summed = heads(description.latentDimension)
    let keyForm =
      tensors[.keyFromLatent]?.format.activation
      ?? tensors[.keyValueFromLatent].flatMap { TransposedMatrix(of: $0) }?.format.activation
    plainInput = inputs(keyForm, description.plainDimension)
    summedInput = inputs(
      tensors[description.valueRole]?.format.activation, description.latentDimension)
  }
}

/// output(attention(norm(hidden))), and latents and shared keys into the sequences'
/// states.
struct LatentAttentionBlock {
  private let layer: Int
  private let description: LatentAttentionDescription
  private let scratch: LatentAttentionScratch
  private let rotaryNumber: Int?
  private let norm: FloatView
  private let queryLatent: (matrix: QuantizedMatrix, norm: FloatView)?
  private let query: QuantizedMatrix
  private let latent: (matrix: QuantizedMatrix, norm: FloatView)
  private let key: QuantizedMatrix
  private let value: QuantizedMatrix
  private let output: QuantizedMatrix

  init(
    _ description: LatentAttentionDescription, layer: Int, weights: LoadedTensors,
    scratch: LatentAttentionScratch, rotaryNumber: Int?
  ) {
    self.layer = layer
    self.description = description
    self.scratch = scratch
    self.rotaryNumber = rotaryNumber
    norm = weights.vector(.attentionNorm)
    queryLatent = weights.optionalMatrix(.queryLatent).map {
      ($0, weights.vector(.queryLatentNorm))
    }
    query = weights.matrix(.query)
    latent = (weights.matrix(.latent), weights.vector(.latentNorm))
    key = weights.matrix(.keyFromLatent)
    value = weights.matrix(description.valueRole)
    output = weights.matrix(.attentionOutput)
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    let (team, count) = (decoder.team, hidden.rowCount)
    let epsilon = decoder.description.normEpsilon
    let normed = decoder.scratch.rows(scratch.normed, count: count)
    let queryInput =
      scratch.queryLatent.map { decoder.scratch.rows($0, count: count) } ?? normed
    let kept = decoder.scratch.rows(scratch.kept, count: count)
    let attended = decoder.scratch.rows(scratch.attended, count: count)

    team.rmsNorm(hidden, weight: norm, epsilon: epsilon, into: normed)
    decoder.beginProducts(of: normed)
    decoder.append(latent.matrix, into: kept)
    if let queryLatent { decoder.append(queryLatent.matrix, into: queryInput) }
    decoder.multiply(as: .queryKeyValue)
    if let queryLatent {
      team.rmsNorm(queryInput, weight: queryLatent.norm, epsilon: epsilon, into: queryInput)
    }
    let latents = kept.columns(from: 0, count: description.latentDimension)
    team.rmsNorm(latents, weight: latent.norm, epsilon: epsilon, into: latents)
    rotate(kept, headCount: 1, start: start, decoder)
    decoder.withSegments(layer: layer, rows: start..<start + count) { segments in
      team.appendKV(keys: kept, values: nil, to: segments)
    }
    for first in stride(from: 0, to: count, by: scratch.query.rowCount) {
      let partCount = min(scratch.query.rowCount, count - first)
      attend(
        queryInput.rows(first, count: partCount), start: start + first,
        into: attended.rows(first, count: partCount), decoder)
    }
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: attended)
    decoder.append(output, into: normed)
    decoder.multiply(as: .attentionOutput)
    return normed
  }

  /// What a part of a tile's rows, whose first is row `start` of the step, find in their pasts.
  ///
  /// - Parameter input: What queries are made of.
  private func attend(
    _ input: FloatRows, start: Int, into attended: FloatRows, _ decoder: Decoder
  ) {
    let (team, count, headCount) = (decoder.team, input.rowCount, description.headCount)
    let plainDimension = description.plainDimension
    let plainQuery = decoder.scratch.rows(scratch.plainQuery, count: count)
    let query = decoder.scratch.rows(scratch.query, count: count)
    let summed = decoder.scratch.rows(scratch.summed, count: count)

    // The turning part goes where it is needed, behind the place of the absorbed one.
    func rows(from start: Int, count: Int) -> HeadRows {
      HeadRows(
        headCount: headCount, stride: description.queryDimension, start: start, count: count)
    }
    let plainRows = rows(from: 0, count: plainDimension)
    let turningRows = rows(from: plainDimension, count: description.rotary.dimension)
    decoder.beginProducts(of: input)
    decoder.append(self.query, plainRows, into: plainQuery, headStride: plainDimension)
    decoder.append(
      self.query, turningRows, into: query.columns(from: description.latentDimension),
      headStride: description.keptDimension)
    decoder.multiply(as: .queryKeyValue)
    rotate(query, headCount: headCount, start: start, decoder)
    multiply(
      key, HeadRows(headCount: headCount, stride: description.latentDimension), of: plainQuery,
      inputs: scratch.plainInput, into: query, headStride: description.keptDimension, decoder)
    decoder.withSegments(layer: layer, rows: start..<start + count) { segments in
      team.attend(
        query, headCount: headCount, over: segments,
        scoring: AttentionScoring(scale: description.scale), partials: decoder.attentionPartials,
        into: summed)
    }
    multiply(
      value, description.valueRows, of: summed, inputs: scratch.summedInput, into: attended,
      headStride: description.valueDimension, decoder)
  }

  /// Turns what follows the latent, or its like, in each head.
  private func rotate(_ rows: FloatRows, headCount: Int, start: Int, _ decoder: Decoder) {
    guard let rotaryNumber else { return }
    decoder.rotate(
      rows.columns(from: description.latentDimension), headCount: headCount,
      headDimension: description.keptDimension, start: start, rotaryNumber: rotaryNumber)
  }

  /// Multiplies each head's part of the rows, (row, head, matrix.columnCount) without padding, with
  /// the head's rows of a matrix. `inputs` has room for them as the matrix reads them.
  private func multiply(
    _ matrix: QuantizedMatrix, _ headRows: HeadRows, of rows: FloatRows,
    inputs: [ActivationForm: ScratchRegion], into output: FloatRows, headStride: Int,
    _ decoder: Decoder
  ) {
    let heads = FloatRows(
      rows.storage, rowCount: rows.rowCount * headRows.headCount, columnCount: matrix.columnCount)
    let input = decoder.scratch.activations(
      inputs, form: matrix.format.activation, count: heads.rowCount, columns: heads.columnCount)
    decoder.team.quantize(heads, into: input)
    decoder.products.removeAll()
    decoder.products.append(matrix, headRows, input, into: output, headStride: headStride)
    decoder.multiply(as: .queryKeyValue)
  }
}
