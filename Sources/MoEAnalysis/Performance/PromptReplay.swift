import MoECache
import MoECore

/// What the chunks of a prompt want of each layer, and what of it the engine's own cache has: the
/// cache is replayed with the slots that a run has at each chunk, from an empty pool on.
///
/// With a trace the wants are those of its tokens, over and over where the prompt is longer.
/// Without one they are drawn: a chunk of N tokens uses E'(N) experts, and shares so many with the
/// chunk before that both together use E'(N + N') of them (`DistinctExperts`).
struct PromptReplay: ~Copyable {
  private let costs: RunCosts
  private let routing: RoutingEstimate
  private var replay: PassReplay
  private var generator = SeededGenerator(seed: 1)
  /// (layer): the experts that the chunk before used, as drawn.
  private var drawn: [Set<Int>]
  private var drawnTokenCount = 0

  private let sequence = SequenceID(rawValue: 0)

  /// Tokens of a drawn chunk whose selections the policy hears of.
  private static let lastTokenCount = 8

  init(_ costs: RunCosts, _ routing: RoutingEstimate) {
    self.costs = costs
    self.routing = routing
    drawn = Array(repeating: [], count: costs.layers.count)
    // A sequence lends most at its beginning.
    let slotCounts = zip(costs.slotCounts(ofChunk: 0), costs.slotCounts).map { max($0, $1) }
    replay = PassReplay(
      geometry: CacheGeometry(layers: costs.layerGeometries, slotCounts: slotCounts),
      policy: PolicyRegistry.entry(named: routing.policy) ?? PolicyRegistry.defaultEntry,
      ownSlotCounts: zip(costs.ownSlotCounts, slotCounts).map { min($0, $1) })
  }

  /// (layer): one chunk's steps, empty ones for layers without experts. Chunks that are left out,
  /// the cache does not see.
  mutating func steps(chunk index: Int, start: Int, tokenCount: Int) -> [RoutedStep] {
    var steps: [RoutedStep] = []
    replay.use(slotCounts: costs.slotCounts(ofChunk: index))
    if index == 0 { replay.beginSequence(sequence) }
    replay.beginPass(.prefill, [SequenceRun(sequence, rowCount: tokenCount)])
    var place = 0
    for (layer, cost) in costs.layers.enumerated() {
      guard cost.sizeClass != nil else {
        steps.append(
          RoutedStep(
            tokenCount: tokenCount, expertsPerToken: 0, requests: [], lastExperts: []))
        continue
      }
      var step = wants(layer: layer, place: place, start: start, tokenCount: tokenCount)
      place += 1
      if costs.isResident { step.findAll() } else { replay.run(&step, layer: layer) }
      steps.append(step)
    }
    drawnTokenCount = tokenCount
    return steps
  }

  /// - Parameter place: The layer's among those with experts: a trace has no others.
  private mutating func wants(
    layer: Int, place: Int, start: Int, tokenCount: Int
  ) -> RoutedStep {
    if let trace = routing.trace {
      let tokens = (start..<start + tokenCount).map { $0 % trace.tokenCount }
      return RoutedStep(trace, tokens: tokens, layer: place)
    }
    return draw(layer: layer, tokenCount: tokenCount)
  }

  private func distinctCount(_ tokenCount: Int) -> Double {
    let choiceCount = Double(tokenCount * costs.expertsPerToken)
    let expertCount = Double(costs.expertCount)
    let share = routing.distinct.share(demand: choiceCount / expertCount)
    // A chunk cannot use fewer experts than one token takes, nor more than there are choices.
    return min(max(share * expertCount, Double(costs.expertsPerToken)), choiceCount, expertCount)
  }

  /// A whole number whose mean is `value`.
  private mutating func rounded(_ value: Double) -> Int {
    let whole = value.rounded(.down)
    return Int(whole) + (generator.nextUnit() < value - whole ? 1 : 0)
  }

  private mutating func draw(layer: Int, tokenCount: Int) -> RoutedStep {
    let mean = distinctCount(tokenCount)
    let count = min(max(1, rounded(mean)), costs.expertCount)
    let before = drawn[layer]
    var shared = 0.0
    if !before.isEmpty {
      shared = distinctCount(drawnTokenCount) + mean
      shared -= distinctCount(drawnTokenCount + tokenCount)
    }
    let outside = (0..<costs.expertCount).filter { !before.contains($0) }
    let fewest = count - outside.count
    let sharedCount = min(max(rounded(max(0, shared)), fewest, 0), before.count, count)
    let experts =
      before.sorted().shuffled(using: &generator).prefix(sharedCount)
      + outside.shuffled(using: &generator).prefix(count - sharedCount)
    drawn[layer] = Set(experts)
    return step(Array(experts), tokenCount: tokenCount)
  }

  /// The tokens' choices go round among the experts, in the order in which they were drawn.
  private func step(_ experts: [Int], tokenCount: Int) -> RoutedStep {
    let choiceCount = tokenCount * costs.expertsPerToken
    let perToken = min(costs.expertsPerToken, experts.count)
    let requests = experts.enumerated().map { place, expert in
      let share = choiceCount / experts.count + (place < choiceCount % experts.count ? 1 : 0)
      let last = place + (share - 1) * experts.count
      return RoutedStep.Request(
        ExpertRequest(
          expert: expert, lastToken: min(max(0, last) / perToken, tokenCount - 1),
          rank: max(0, last) % perToken, tokenCount: max(1, share)))
    }
    let firstKnown = max(0, tokenCount - Self.lastTokenCount)
    let lastExperts = (firstKnown * perToken..<tokenCount * perToken).map {
      experts[$0 % experts.count]
    }
    return RoutedStep(
      tokenCount: tokenCount, expertsPerToken: perToken,
      requests: requests.sorted { $0.wanted.expert < $1.wanted.expert }, lastExperts: lastExperts)
  }
}

extension RunCosts {
  /// (layer): as the cache sees them.
  var layerGeometries: [LayerGeometry] {
    layers.map {
      LayerGeometry(
        expertCount: $0.sizeClass == nil ? 0 : expertCount, sizeClass: $0.sizeClass ?? 0)
    }
  }
}
