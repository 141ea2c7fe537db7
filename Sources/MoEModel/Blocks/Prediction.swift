import MoECache
import MoECore
import MoEExperts
import MoEKernels

/// How a decoder predicts the experts of the next layer, and what it needs for that; all memory is
/// taken when it is made.
struct Prediction {
  private let method: PredictorEntry.Method
  private let tokenCountMax: Int
  private var predictor: (any ExpertPredictor)?
  private var prediction: ExpertPrediction
  /// (expert): of one token.
  private var scores: [Float]
  /// (token, rank): a step's selection in one layer.
  private var selected: [Int32] = []

  init(_ entry: PredictorEntry, _ shape: PredictorShape) {
    method = entry.method
    tokenCountMax = shape.tokenCountMax
    if case .predictor(_, let make) = entry.method { predictor = make(shape) }
    prediction = ExpertPrediction(expertCount: shape.expertCount)
    scores = Array(repeating: 0, count: shape.expertCount)
    selected.reserveCapacity(shape.tokenCountMax * shape.expertsPerToken)
  }

  var isOn: Bool { if case .none = method { false } else { true } }
  var asksTheRouter: Bool { if case .router = method { true } else { false } }

  mutating func beginSequence(_ sequence: SequenceID) { predictor?.beginSequence(sequence) }
  mutating func endSequence(_ sequence: SequenceID) { predictor?.endSequence(sequence) }
  mutating func beginStep(_ rows: StepRows) { predictor?.beginStep(rows.runs.span) }

  /// A layer's selection for the tokens of a step: what was guessed of it is judged, and what
  /// follows is guessed from it.
  mutating func observe(layer: Int, _ selection: Selection) {
    guard isOn else { return }
    selected.removeAll(keepingCapacity: true)
    // A router needs to know only how sure its guesses are, which the first token tells.
    let tokenCount = min(selection.tokenCount, predictor == nil ? 1 : tokenCountMax)
    for token in 0..<tokenCount {
      let count = selection.count(token: token)
      for rank in 0..<selection.expertsPerToken {
        selected.append(rank < count ? Int32(selection.expert(token: token, rank: rank)) : -1)
      }
    }
    // The same memory under a name of its own, which a span of it may hold while others change.
    let taken = selected
    prediction.learn(layer: layer, taken.span.extracting(first: selection.expertsPerToken))
    predictor?.observe(layer: layer, experts: taken.span)
  }

  mutating func begin(layer: Int, expertCount: Int) {
    prediction.begin(layer: layer)
    if scores.count != expertCount { scores = Array(repeating: 0, count: expertCount) }
  }

  /// Guesses from what was observed: the union over the tokens of a step.
  mutating func predict(layer: Int, tokenCount: Int, expertsPerToken: Int) {
    for token in 0..<min(tokenCount, tokenCountMax) {
      predictor?.score(layer: layer, token: token, into: &scores)
      prediction.add(scores, expertsPerToken: expertsPerToken)
    }
  }

  /// Guesses for one token from the router's logits of the layer, (expert).
  mutating func add(_ logits: FloatView, expertsPerToken: Int) {
    for expert in scores.indices { scores[expert] = logits[expert] }
    prediction.add(scores, expertsPerToken: expertsPerToken)
  }

  mutating func sorted(isSingleToken: Bool) -> [ExpertGuess] {
    prediction.sorted(isSingleToken: isSingleToken)
  }
}

/// What a layer needs of scratch memory to ask the router of the next one that has experts ahead of
/// its turn.
struct PredictionScratch: Sendable {
  /// (row of a tile, hiddenSize)
  let normed: ScratchRegion
  /// (row of a tile, expertCount of the next layer)
  let logits: ScratchRegion
  /// By form: (row of a tile, hiddenSize)
  let forms: [ActivationForm: ScratchRegion]

  init(
    after layer: Int, description: ModelDescription, tensors: ModelTensors,
    in arena: inout ScratchArena
  ) {
    let next = description.routedLayer(after: layer) ?? layer
    let (rowCount, hiddenSize) = (arena.tileRowCount, description.hiddenSize)
    normed = arena.rows(rowCount, columns: hiddenSize)
    logits = arena.rows(rowCount, columns: description.routers[next]?.expertCount ?? 0)
    // Floats are read where they are.
    if let form = tensors.layers[next][.router]?.format.activation, form != .f32 {
      forms = [form: arena.rows(rowCount, columns: hiddenSize, form: form)]
    } else {
      forms = [:]
    }
  }
}

extension Decoder {
  /// Predicts which experts the next layer will take that has any, and has them prefetched while
  /// this one is computed. A wrong guess costs a read and changes no result.
  func predict(after block: RoutedExpertsBlock, hidden: FloatRows) {
    guard prediction.isOn, let layer = description.routedLayer(after: block.layer),
      let next = layers[layer].feedForward?.routed, experts.canPrefetch(layer: layer)
    else { return }
    prediction.begin(layer: layer, expertCount: next.description.router.expertCount)
    let perToken = next.description.router.expertsPerToken
    if prediction.asksTheRouter {
      for tile in scratch.layout.tiles(of: hidden.rowCount) {
        askRouter(
          of: next, hidden: hidden.rows(tile.lowerBound, count: tile.count),
          scratch: block.scratch.prediction)
      }
    } else {
      prediction.predict(layer: layer, tokenCount: hidden.rowCount, expertsPerToken: perToken)
    }
    experts.prefetch(
      layer: layer, guesses: prediction.sorted(isSingleToken: hidden.rowCount == 1))
  }

  /// Guesses what the layer's own norm and router make of the residual stream as it is one layer
  /// earlier (arXiv 2312.17238, section 3.2): a block changes the stream little.
  ///
  /// - Parameter hidden: (row, hiddenSize), a tile.
  private func askRouter(
    of block: RoutedExpertsBlock, hidden: FloatRows, scratch regions: PredictionScratch
  ) {
    let count = hidden.rowCount
    let normed = scratch.rows(regions.normed, count: count)
    let logits = scratch.rows(regions.logits, count: count)
    block.fillRouterInput(hidden, into: normed, self)
    products.removeAll()
    products.append(
      block.projection, inForm(of: block.projection, normed, regions: regions.forms),
      into: logits)
    multiply(as: .predict)
    for token in 0..<count {
      prediction.add(
        logits.row(token), expertsPerToken: block.description.router.expertsPerToken)
    }
  }

  /// Rows in the form that a matrix reads.
  private func inForm(
    of matrix: QuantizedMatrix, _ rows: FloatRows, regions: [ActivationForm: ScratchRegion]
  ) -> ActivationRows {
    let form = matrix.format.activation
    if form == .f32 { return rows.asActivations }
    let result = scratch.activations(
      regions, form: form, count: rows.rowCount, columns: rows.columnCount)
    team.quantize(rows, into: result)
    return result
  }
}
