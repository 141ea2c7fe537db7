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
  /// The name of a norm of their own before them, without the layer's prefix and `.weight`; nil:
  /// they read what the layer's other feed-forward parts read.
  package var normName: String?
  /// The name of the norm after them; nil: none.
  package var postNormName: String?
  package var routerInput = RouterInput.experts
}

/// What a router reads.
package enum RouterInput: Sendable, Hashable {
  /// The rows that the experts read.
  case experts
  /// The residual stream through an RMS norm whose weight is the router's own, divided by the root
  /// of its width (Gemma 4).
  case scaledStream
}

extension RoutedExpertsDescription {
  /// Whether router and experts both read what the layer's norm gives.
  var readsLayerNorm: Bool { normName == nil && routerInput == .experts }
}

extension TensorRole {
  package static let router = TensorRole(rawValue: "router")
  package static let routerBias = TensorRole(rawValue: "router bias")
  package static let selectionBias = TensorRole(rawValue: "selection bias")
  package static let routerScale = TensorRole(rawValue: "router's scale")
  package static let expertScale = TensorRole(rawValue: "experts' scales")
  package static let expertNorm = TensorRole(rawValue: "norm before the experts")
  package static let expertPostNorm = TensorRole(rawValue: "norm after the experts")
}

extension RoutedExpertsDescription {
  func addTensors(to table: inout TensorTable, _ model: ModelDescription) {
    let hiddenSize = model.hiddenSize
    table.matrix(
      .router, "ffn_gate_inp.weight", rows: router.expertCount, columns: hiddenSize)
    table.vector(
      .routerBias, "ffn_gate_inp.bias", count: router.expertCount, isOptional: true)
    if router.hasSelectionBias {
      table.vector(.selectionBias, "exp_probs_b.bias", count: router.expertCount)
    }
    if routerInput == .scaledStream {
      table.vector(.routerScale, "ffn_gate_inp.scale", count: hiddenSize, isFactor: true)
    }
    if router.hasExpertScale {
      table.vector(
        .expertScale, "ffn_down_exps.scale", count: router.expertCount, isFactor: true)
    }
    if let normName { table.norm(.expertNorm, normName, count: hiddenSize, model.normKind) }
    if let postNormName {
      table.norm(.expertPostNorm, postNormName, count: hiddenSize, model.normKind)
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
  /// (row of a tile, hiddenSize): what the experts read and then what the router reads, where these
  /// are not the layer's normed rows.
  let ownRows: ScratchRegion?
  /// (row of the step, hiddenSize): the experts' sums, where these are normed.
  let sum: ScratchRegion?
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
    let matrices = tensors.expertMatrices(layer: layer)
    var forms: [ActivationForm: ScratchRegion] = [:]
    for form in Set(matrices.filter { $0.role != .down }.map { $0.format.activation })
      .sorted(by: { $0.index < $1.index })
    {
      forms[form] = arena.rows(rowCount, columns: description.hiddenSize, form: form)
    }
    inputForms = forms
    ownRows = routed.readsLayerNorm ? nil : arena.rows(tile, columns: description.hiddenSize)
    sum =
      routed.postNormName == nil ? nil : arena.rows(rowCount, columns: description.hiddenSize)
    prediction = PredictionScratch(
      after: layer, description: description, tensors: tensors, in: &arena)
  }
}

/// The routed experts of one layer: sum += Σ weight · expert(x) over those that a row takes.
struct RoutedExpertsBlock {
  let layer: Int
  let description: RoutedExpertsDescription
  let scratch: RoutedExpertsScratch
  let router: Router
  /// (expertCount, hiddenSize)
  let projection: QuantizedMatrix
  /// From the residual stream to what the experts read.
  private let norm: Norm
  private let postNorm: Norm?
  /// (expertCount)
  private let bias: FloatView?
  private let selectionBias: FloatView?
  private let expertScales: FloatView?
  /// Factors on the experts' products, where their format has such.
  private let productScales: ExpertScales
  /// (hiddenSize)
  private let routerScale: FloatView?
  /// (row of the step, hiddenSize)
  private let input: ExpertInput

  /// - Parameter layerNorm: What the layer's parts read, where the experts have no norm of their
  ///   own.
  init(
    _ description: RoutedExpertsDescription, layer: Int, layerNorm: Norm, weights: LoadedTensors,
    scratch: RoutedExpertsScratch, memory: borrowing Scratch, _ model: ModelDescription
  ) {
    self.layer = layer
    self.description = description
    self.scratch = scratch
    router = Router(description: description.router)
    projection = weights.matrix(.router)
    norm = description.normName.map { _ in Norm(.expertNorm, in: weights, model) } ?? layerNorm
    postNorm = description.postNormName.map { _ in Norm(.expertPostNorm, in: weights, model) }
    bias = weights.optionalVector(.routerBias)
    selectionBias = weights.optionalVector(.selectionBias)
    expertScales = weights.optionalVector(.expertScale)
    productScales = ExpertScales(weights)
    routerScale = weights.optionalVector(.routerScale)
    input = ExpertInput(
      forms: memory.bytes(scratch.inputForms), columnCount: projection.columnCount)
  }

  /// What the router selects for a tile of rows, whose first is row `start` of the step; kept for
  /// `begin`, with the rows that the experts will read.
  ///
  /// - Parameters:
  ///   - hidden: (row, hiddenSize): the residual stream.
  ///   - normed: The same after the layer's norm; nil where it is not read (`readsLayerNorm`).
  func route(_ hidden: FloatRows, normed: FloatRows?, start: Int, _ decoder: Decoder) {
    let (team, count) = (decoder.team, hidden.rowCount)
    let own = scratch.ownRows.map { decoder.scratch.rows($0, count: count) }
    guard let rows = normed ?? own else { preconditionFailure("the layout has rows to read") }
    if normed == nil { norm(hidden, into: rows, team) }
    decoder.observer?.willRoute(layer: layer, start: start, input: rows)
    for form in scratch.inputForms.keys {
      team.quantize(rows, into: input.rows(form, count: start + count).rows(start, count: count))
    }
    if routerScale != nil { fillRouterInput(hidden, into: rows, decoder) }
    let logits = decoder.scratch.rows(scratch.routerLogits, count: count)
    decoder.beginProducts(of: rows)
    decoder.append(projection, into: logits)
    decoder.multiply(as: .router)
    if routerScale != nil {
      team.scale(logits, by: 1 / Float(projection.columnCount).squareRoot())
    }
    if let bias { team.addBias(bias, to: logits) }
    let selection = selection(start: start, count: count, decoder)
    decoder.timed(.select) {
      decoder.select(
        layer: layer, start: start, logits: logits,
        probabilities: decoder.scratch.rows(scratch.routerProbabilities, count: count),
        selectionBias: selectionBias, expertScales: expertScales, router: router, into: selection)
    }
    decoder.observer?.didRoute(layer: layer, start: start, logits: logits, selection: selection)
  }

  /// What the router reads of the residual stream, but for a common factor.
  func fillRouterInput(_ hidden: FloatRows, into rows: FloatRows, _ decoder: Decoder) {
    guard let routerScale else { return norm(hidden, into: rows, decoder.team) }
    decoder.team.rmsNorm(
      hidden, weight: routerScale, epsilon: decoder.description.normEpsilon, into: rows)
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

  /// Asks for the experts that the step's rows take; who gets the work back finishes it.
  ///
  /// - Parameters:
  ///   - hidden: (row of the step, hiddenSize): the residual stream.
  ///   - sum: The same: what the experts' results are added to.
  func begin(hidden: FloatRows, into sum: FloatRows, _ decoder: Decoder) throws -> ExpertWork {
    let selection = selection(start: 0, count: hidden.rowCount, decoder)
    let tokens = decoder.scratch.indices(scratch.groupTokens)
    let weights = decoder.scratch.floats(scratch.groupWeights)
    decoder.grouping.group(
      selection, expertCount: description.router.expertCount, tokens: tokens, weights: weights)
    let output = scratch.sum.map { decoder.scratch.rows($0, count: hidden.rowCount) }
    output?.clear()
    let work = ExpertWork(
      layer: layer, requests: decoder.grouping.requests, starts: decoder.grouping.starts,
      rows: tokens, weights: weights, weightPlacement: description.router.weightPlacement,
      selection: selection, input: input, activation: description.activation,
      scales: productScales, output: output ?? sum)
    try decoder.executor.begin(work)
    decoder.prediction.observe(layer: layer, selection)
    decoder.predict(after: self, hidden: hidden)
    return work
  }

  /// Computes what was asked for.
  func finish(_ work: ExpertWork, into sum: FloatRows, _ decoder: Decoder) throws {
    try decoder.executor.run(work)
    guard let postNorm else { return }
    postNorm(work.output, into: work.output, decoder.team)
    decoder.team.add(work.output, scale: 1, to: sum)
  }
}
