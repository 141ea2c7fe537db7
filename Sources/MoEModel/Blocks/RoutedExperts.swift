import MoECache
import MoECore
package import MoEExperts
package import MoEKernels

/// Feed-forward experts of which a router chooses a few for each token (arXiv 1701.06538).
package struct RoutedExpertsDescription: Sendable, Equatable {
  /// How a file keeps the experts' matrices.
  package enum Storage: Sendable, Equatable {
    /// A tensor for each matrix in which the experts follow each other.
    case stacked
    /// The same, with gate and up in one.
    case stackedGateUp
    /// A tensor for each matrix of each expert, as files had it at first.
    case single
  }

  package var router: RouterDescription
  /// Rows of one expert's gate and up projection.
  package var width: Int
  package var activation: Activation
  package var storage = Storage.stacked
  /// Whether each projection has a bias.
  package var hasBiases = false
}

extension TensorRole {
  package static let router = TensorRole(rawValue: "router")
  package static let routerBias = TensorRole(rawValue: "router bias")
  package static let selectionBias = TensorRole(rawValue: "selection bias")
}

extension RoutedExpertsDescription {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.matrix(
      .router, "ffn_gate_inp.weight", rows: router.expertCount, columns: hiddenSize)
    table.vector(
      .routerBias, "ffn_gate_inp.bias", count: router.expertCount, isOptional: true)
    if router.hasSelectionBias {
      table.vector(.selectionBias, "exp_probs_b.bias", count: router.expertCount)
    }
  }

  /// One part of the experts as the file has it: a row of the table of parts.
  package struct PartRow: Sendable {
    package var role: ExpertPartRole
    /// Without the layer's prefix; of tensors for single experts, with `*` for the expert.
    package var name: String
    package var rowCount: Int
    package var columnCount: Int
  }

  /// In the order in which a slot holds them.
  package func partRows(hiddenSize: Int) -> [PartRow] {
    func name(_ projection: String) -> String {
      storage == .single ? "ffn_\(projection).*.weight" : "ffn_\(projection)_exps.weight"
    }
    var rows: [PartRow] = []
    if storage == .stackedGateUp {
      rows.append(
        PartRow(
          role: .gateUp, name: name("gate_up"), rowCount: 2 * width, columnCount: hiddenSize))
    } else {
      if activation.isGated {
        rows.append(
          PartRow(role: .gate, name: name("gate"), rowCount: width, columnCount: hiddenSize))
      }
      rows.append(PartRow(role: .up, name: name("up"), rowCount: width, columnCount: hiddenSize))
    }
    rows.append(
      PartRow(role: .down, name: name("down"), rowCount: hiddenSize, columnCount: width))
    guard hasBiases else { return rows }
    let biases: [(ExpertPartRole, String, Int)] =
      (storage == .stackedGateUp
        ? [(.gateUpBias, "gate_up", 2 * width)]
        : [(.gateBias, "gate", width), (.upBias, "up", width)])
      + [(.downBias, "down", hiddenSize)]
    for (role, projection, count) in biases where activation.isGated || role != .gateBias {
      rows.append(
        PartRow(
          role: role, name: "ffn_\(projection)_exps.bias", rowCount: 1, columnCount: count))
    }
    return rows
  }
}

/// What a layer's routing needs of scratch memory, and its experts.
struct RoutedExpertsScratch: Sendable {
  /// (row of a tile, expertCount)
  let routerLogits: ScratchRegion
  let routerProbabilities: ScratchRegion
  /// (row of the step, expertsPerToken)
  let selectedExperts: ScratchRegion
  let selectedWeights: ScratchRegion
  /// (row of the step * expertsPerToken): the selection sorted by expert.
  let groupTokens: ScratchRegion
  let groupWeights: ScratchRegion
  /// By form: (row of the step, hiddenSize): what the experts read.
  let inputForms: [ActivationForm: ScratchRegion]
  let prediction: PredictionScratch

  init(
    _ routed: RoutedExpertsDescription, layer: Int, description: ModelDescription,
    tensors: ModelTensors, in arena: inout ScratchArena
  ) {
    let (rowCount, tile) = (arena.rowCountMax, arena.tileRowCount)
    let (expertCount, perToken) = (routed.router.expertCount, routed.router.expertsPerToken)
    routerLogits = arena.rows(tile, columns: expertCount)
    routerProbabilities = arena.rows(tile, columns: expertCount)
    selectedExperts = arena.rows(rowCount, columns: perToken)
    selectedWeights = arena.rows(rowCount, columns: perToken)
    groupTokens = arena.rows(1, columns: rowCount * perToken)
    groupWeights = arena.rows(1, columns: rowCount * perToken)
    let matrices = tensors.experts.layers[layer].matrices
    var forms: [ActivationForm: ScratchRegion] = [:]
    for form in Set(matrices.filter { $0.role != .down }.map { $0.format.activation })
      .sorted(by: { $0.index < $1.index })
    {
      forms[form] = arena.rows(rowCount, columns: description.hiddenSize, form: form)
    }
    inputForms = forms
    prediction = PredictionScratch(
      after: layer, description: description, tensors: tensors, in: &arena)
  }
}

/// The routed experts of one layer.
struct RoutedExpertsBlock {
  let layer: Int
  let description: RoutedExpertsDescription
  let scratch: RoutedExpertsScratch
  let router: Router
  /// (expertCount, hiddenSize)
  let projection: QuantizedMatrix
  /// (expertCount)
  private let bias: FloatView?
  private let selectionBias: FloatView?
  /// (row of the step, hiddenSize)
  private let input: ExpertInput

  init(
    _ description: RoutedExpertsDescription, layer: Int, weights: LoadedTensors,
    scratch: RoutedExpertsScratch, memory: borrowing Scratch
  ) {
    self.layer = layer
    self.description = description
    self.scratch = scratch
    router = Router(description: description.router)
    projection = weights.matrix(.router)
    bias = weights.optionalVector(.routerBias)
    selectionBias = weights.optionalVector(.selectionBias)
    input = ExpertInput(
      forms: memory.bytes(scratch.inputForms), columnCount: projection.columnCount)
  }

  /// What the router selects for a tile of rows, whose first is row `start` of the step; kept for
  /// `begin`, with the rows that the experts will read.
  ///
  /// - Parameter normed: (row, hiddenSize)
  func route(_ normed: FloatRows, start: Int, _ decoder: Decoder) {
    let (team, count) = (decoder.team, normed.rowCount)
    for form in scratch.inputForms.keys {
      team.quantize(
        normed, into: input.rows(form, count: start + count).rows(start, count: count))
    }
    let logits = decoder.scratch.rows(scratch.routerLogits, count: count)
    decoder.beginProducts(of: normed)
    decoder.append(projection, into: logits)
    decoder.multiply(as: .router)
    if let bias { team.addBias(bias, to: logits) }
    let selection = selection(start: start, count: count, decoder)
    decoder.timed(.select) {
      decoder.select(
        layer: layer, start: start, logits: logits,
        probabilities: decoder.scratch.rows(scratch.routerProbabilities, count: count),
        selectionBias: selectionBias, router: router, into: selection)
    }
    decoder.observer?.didRoute(layer: layer, start: start, logits: logits, selection: selection)
  }

  /// Where the selection of some of the step's rows is kept.
  func selection(start: Int, count: Int, _ decoder: Decoder) -> Selection {
    let experts = decoder.scratch.indices(scratch.selectedExperts)
    let weights = decoder.scratch.allFloats(scratch.selectedWeights)
    let stride = scratch.selectedExperts.rowByteCount / 4
    return Selection(
      tokenCount: count, expertsPerToken: description.router.expertsPerToken,
      experts: experts.slice(start * stride, count: count * stride),
      weights: weights.slice(start * stride, count: count * stride),
      expertStride: stride, weightStride: stride)
  }

  /// Asks for the experts that the step's rows take; who gets the work back runs it.
  func begin(hidden: FloatRows, _ decoder: Decoder) throws -> ExpertWork {
    let selection = selection(start: 0, count: hidden.rowCount, decoder)
    let tokens = decoder.scratch.indices(scratch.groupTokens)
    let weights = decoder.scratch.floats(scratch.groupWeights)
    decoder.grouping.group(
      selection, expertCount: description.router.expertCount, tokens: tokens, weights: weights)
    let work = ExpertWork(
      layer: layer, requests: decoder.grouping.requests, starts: decoder.grouping.starts,
      rows: tokens, weights: weights, selection: selection, input: input,
      activation: description.activation, output: hidden)
    try decoder.executor.begin(work)
    decoder.prediction.observe(layer: layer, selection)
    decoder.predict(after: self, hidden: hidden)
    return work
  }
}
