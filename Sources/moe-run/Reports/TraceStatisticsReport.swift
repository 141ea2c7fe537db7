import MoEAnalysis
import MoECore
import MoEReport

/// What `trace stats` writes; with `--json` these properties in snake_case as its keys. Figures
/// that do not exist, as the reuse of a single token, are "nan".
struct TraceStatisticsReport: Encodable {
  struct Layer: Encodable {
    /// The block of the model.
    let layer: Int
    let lruHitRate: Double
    let beladyHitRate: Double
    let previousTokenReuse: Double
    let popularityReuse: Double
    let entropy: Double
  }

  struct Overlap: Encodable {
    let lag: Int
    let reuse: Double
  }

  /// Means over the tokens and layers of one half of the trace.
  struct Spread: Encodable {
    /// Experts between the first and the last of a token's that it does not take.
    let passedOver: Double
    /// Pairs of a token's experts of which one lies right behind the other.
    let neighbors: Double

    init(_ spread: CoUse.Spread) {
      (passedOver, neighbors) = (spread.passedOverCount, spread.neighborCount)
    }
  }

  let trace: String
  let model: String
  let tokens: Int
  let sequences: Int
  let layers: Int
  let experts: Int
  let expertsPerToken: Int
  let capacity: Int
  let lruHitRate: Double
  let beladyHitRate: Double
  let previousTokenReuse: Double
  let popularityReuse: Double
  let uniformReuse: Double
  let entropy: Double
  let byLayer: [Layer]
  let overlap: [Overlap]
  /// With the experts in the order of their numbers, and in the order by co-use that the other half
  /// of the trace gives (`pack --trace`); absent where layers have thousands of experts.
  let spreadByNumber: Spread?
  let spreadByCoUse: Spread?

  init(_ trace: RoutingTrace, path: String, capacity: Int?, lags: [Int]) {
    let statistics = TraceStatistics(trace, capacity: capacity)
    self.trace = path
    model = trace.metadata.model
    tokens = trace.tokenCount
    sequences = trace.sequenceStarts.count
    layers = trace.layerCount
    experts = trace.expertCount
    expertsPerToken = trace.expertsPerToken
    self.capacity = statistics.capacity
    lruHitRate = statistics.leastRecentHitRate
    beladyHitRate = statistics.optimalHitRate
    previousTokenReuse = statistics.previousTokenReuse
    popularityReuse = statistics.popularityReuse
    uniformReuse = statistics.evenReuse
    entropy = statistics.entropy
    byLayer = statistics.layers.enumerated().map { number, figures in
      Layer(
        layer: trace.metadata.layers[number],
        lruHitRate: Double(figures.leastRecentHitCount) / Double(figures.requestCount),
        beladyHitRate: Double(figures.optimalHitCount) / Double(figures.requestCount),
        previousTokenReuse: Double(figures.sharedCount) / Double(figures.comparedCount),
        popularityReuse: figures.popularityReuse, entropy: figures.entropy)
    }
    overlap = lags.map { Overlap(lag: $0, reuse: TraceStatistics.reuse(trace, lag: $0)) }
    let spreads = CoUse.heldOutSpreads(trace)
    spreadByNumber = (spreads?.byNumber).map { Spread($0) }
    spreadByCoUse = (spreads?.byCoUse).map { Spread($0) }
  }
}

extension TraceStatisticsReport {
  private var spreadText: String {
    guard let spreadByNumber, let spreadByCoUse else { return "" }
    let (apart, near) = (
      [spreadByNumber, spreadByCoUse].map { Decimals.text($0.passedOver, 1) },
      [spreadByNumber, spreadByCoUse].map { Decimals.text($0.neighbors, 2) }
    )
    return "between   \(apart[0]) experts lie between those of a token by number, \(apart[1]) by "
      + "co-use in the other half; \(near[0]) and \(near[1]) pairs of them are neighbors\n"
  }

  var text: String {
    func row(_ name: String, _ figures: [Double]) -> [String] {
      [name] + figures.map { Decimals.text($0, 3) }
    }
    let head = [
      "layer", "LRU hit", "Belady hit", "prev-token reuse", "popularity reuse", "entropy",
    ]
    let rows = byLayer.map {
      row(
        "\($0.layer)",
        [$0.lruHitRate, $0.beladyHitRate, $0.previousTokenReuse, $0.popularityReuse, $0.entropy])
    }
    let all = row(
      "all", [lruHitRate, beladyHitRate, previousTokenReuse, popularityReuse, entropy])
    let (lags, reuses) = (
      ["lag"] + overlap.map { "\($0.lag)" },
      row("reuse", overlap.map(\.reuse))
    )
    return """
      trace     \(trace), \(model.isEmpty ? "model not named" : model.quotedForMessage)
      tokens    \(tokens) in \(sequences) sequences, \(expertsPerToken) of \(experts) experts in \
      each of \(layers) layers
      cache     \(capacity) experts of each layer
      \(Columns.text([head] + rows + [all], right: Set(0...5)))\
      \(spreadText)\
      uniform   \(Decimals.text(uniformReuse, 3)), the reuse of an even and independent choice
      reuse by distance in tokens
      \(Columns.text([lags, reuses], right: Set(1...max(1, overlap.count))))
      """
  }
}
