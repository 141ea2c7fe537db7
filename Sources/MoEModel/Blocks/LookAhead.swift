import MoECache
import MoECore
import MoEExperts
import MoEKernels

/// How a decoder guesses the experts of the next layer, and what it needs for that; all memory is
/// taken when it is made.
struct LookAhead {
  private let method: LookAheadEntry.Method
  private let tokenCountMax: Int
  private var predictor: (any LookAheadPredictor)?
  private(set) var prediction: ExpertPrediction
  /// (expert): of one token.
  private var scores: [Float]
  /// (token, rank): a step's selection in one layer.
  private var selected: [Int32] = []

  init(_ entry: LookAheadEntry, _ shape: LookAheadShape) {
    method = entry.method
    tokenCountMax = shape.tokenCountMax
    if case .predictor(_, let make) = entry.method { predictor = make(shape) }
    prediction = ExpertPrediction(expertCount: shape.expertCount)
    scores = Array(repeating: 0, count: shape.expertCount)
    selected.reserveCapacity(shape.tokenCountMax * shape.expertsPerToken)
  }

  var isOn: Bool { if case .none = method { false } else { true } }
  var asksTheRouter: Bool { if case .router = method { true } else { false } }

  /// The text before is over, and another begins.
  mutating func beginSequence() {
    predictor?.endSequence(SequenceID(rawValue: 0))
    predictor?.beginSequence(SequenceID(rawValue: 0))
  }

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

  mutating func begin(layer: Int) { prediction.begin(layer: layer) }

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

extension Decoder {
  /// Guesses which experts a layer will take, and has them read ahead while the layer before it is
  /// computed. A wrong guess costs a read and changes no result.
  func lookAhead(to layer: Int, hidden: FloatRows) {
    guard lookAhead.isOn, layer < description.layerCount, experts.canPrefetch(layer: layer)
    else { return }
    lookAhead.begin(layer: layer)
    if lookAhead.asksTheRouter {
      for tile in scratch.layout.tiles(of: hidden.rowCount) {
        askRouter(of: layer, hidden: hidden.rows(tile.lowerBound, count: tile.count))
      }
    } else {
      lookAhead.predict(
        layer: layer, tokenCount: hidden.rowCount,
        expertsPerToken: description.router.expertsPerToken)
    }
    experts.prefetch(
      layer: layer, guesses: lookAhead.sorted(isSingleToken: hidden.rowCount == 1))
  }
}
