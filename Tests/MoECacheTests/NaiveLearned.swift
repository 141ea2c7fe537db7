import Foundation
import MoECache
import MoECore

/// The learning policy by its definition: every sum is taken anew, over dictionaries, in double
/// precision.
struct NaiveLearned: NaivePolicy {
  private struct Transition: Hashable {
    /// Layers back from the layer of `to`, among those with experts.
    var back: Int
    var from: Int
    var to: ExpertID
  }

  private let discount = 0.8
  private let bases = [0, 0.875, 0.99]
  /// What is known of one sequence.
  private struct Text {
    /// By layer and time: what was selected.
    var selections: [Int: [Int: [Int]]] = [:]
    var lastTimes: [Int: Int] = [:]
    var lastUses: [ExpertID: Int] = [:]
    var estimates: [ExpertID: Double] = [:]
    /// By layer: its last step that had a token of the text, none once that is over.
    var lastSteps: [Int: Int] = [:]
  }

  private var texts: [Int: Text] = [:]
  /// By layer.
  private var stepCounts: [Int: Int] = [:]
  private var biases: [ExpertID: Double] = [:]
  private var transitions: [Transition: Double] = [:]
  private var recencyWeights = [0.5, 0.5, 0.5]
  private var recencySquares = [1.0, 1.0, 1.0]
  /// Of all sequences together.
  private var estimates: [ExpertID: Double] = [:]
  private var shadow = ShadowLRU()

  mutating func endSequence(_ sequence: Int) { texts[sequence]?.lastSteps = [:] }

  mutating func beginStep(layer: Int, time: Int, runs: [NaiveRun], in cache: NaiveCache) {
    shadow.add(runs, of: layer, in: cache)
    let step = (stepCounts[layer] ?? 0) + 1
    stepCounts[layer] = step
    for run in runs {
      var text = texts[run.sequence] ?? Text()
      for (token, selection) in run.selections.enumerated() {
        let time = run.time - run.selections.count + 1 + token
        add(selection, of: layer, at: time, to: &text, in: cache)
      }
      text.lastSteps[layer] = step
      texts[run.sequence] = text
    }
    let going = texts.values.filter { ($0.lastSteps[layer] ?? step - 99) >= step - 32 }
    for index in 0..<cache.layers[layer].expertCount {
      let expert = ExpertID(layer: layer, index: index)
      // That no sequence uses it soon.
      estimates[expert] = 1 - going.map { 1 - ($0.estimates[expert] ?? 0) }.reduce(1, *)
    }
  }

  private mutating func add(
    _ selection: [Int], of layer: Int, at time: Int, to text: inout Text, in cache: NaiveCache
  ) {
    let experts = (0..<cache.layers[layer].expertCount).map { ExpertID(layer: layer, index: $0) }
    let before = text.lastTimes[layer]
    let powersBefore = experts.map { powers(of: $0, in: text) }
    text.lastTimes[layer] = time
    for index in selection { text.lastUses[ExpertID(layer: layer, index: index)] = time }
    text.selections[layer, default: [:]][time] = selection
    let fresh = experts.map { estimate(of: $0, at: time, text, in: cache) }
    if let before, time == before + 1 {
      let errors = experts.map { expert in
        let target = selection.contains(expert.index) ? 1 : discount * fresh[expert.index]
        return target - (text.estimates[expert] ?? 0)
      }
      for (expert, error) in zip(experts, errors) {
        biases[expert] = (biases[expert] ?? -2) + 0.03 * error
      }
      for base in bases.indices {
        let gradient = zip(errors, powersBefore).reduce(0) { $0 + $1.0 * $1.1[base] }
        recencySquares[base] += gradient * gradient
        recencyWeights[base] += 0.02 * gradient / recencySquares[base].squareRoot()
      }
      for (back, from, factor) in sources(of: layer, at: before, text, in: cache) {
        for (expert, error) in zip(experts, errors) {
          let transition = Transition(back: back, from: from, to: expert)
          transitions[transition, default: 0] += 0.03 * factor * error
        }
      }
    }
    for (expert, value) in zip(experts, fresh) { text.estimates[expert] = value }
  }

  /// Powers of an expert's age, as of its layer's last step.
  private func powers(of expert: ExpertID, in text: Text) -> [Double] {
    guard let last = text.lastUses[expert], let now = text.lastTimes[expert.layer] else {
      return [0, 0, 0]
    }
    return bases.map { pow($0, Double(now - last)) }
  }

  /// The selected experts that say something about a layer, and what each counts for.
  private func sources(
    of layer: Int, at time: Int, _ text: Text, in cache: NaiveCache
  ) -> [(back: Int, from: Int, factor: Double)] {
    var sources: [(back: Int, from: Int, factor: Double)] = []
    for (age, factor) in [1.0, 0.6, 0.3].enumerated() {
      sources += (text.selections[layer]?[time - age] ?? []).map { (0, $0, factor) }
    }
    let earlier = cache.layers.indices.filter { $0 < layer && cache.layers[$0].expertCount > 0 }
    for (back, source) in earlier.reversed().prefix(2).enumerated() {
      sources += (text.selections[source]?[time] ?? []).map { (back + 1, $0, 1) }
    }
    return sources
  }

  private func estimate(
    of expert: ExpertID, at time: Int, _ text: Text, in cache: NaiveCache
  ) -> Double {
    var sum = biases[expert] ?? -2
    for (weight, power) in zip(recencyWeights, powers(of: expert, in: text)) {
      sum += weight * power
    }
    for (back, from, factor) in sources(of: expert.layer, at: time, text, in: cache) {
      sum += factor * (transitions[Transition(back: back, from: from, to: expert)] ?? 0)
    }
    return 1 / (1 + exp(-sum))
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {}

  mutating func remove(_ expert: ExpertID) {}

  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    if !shadow.isTrusting, respectingFloors,
      let found = recencyVictim(for: expert.layer, in: cache, hint: hint)
    {
      return found
    }
    let turning = cache.layers.indices.filter { cache.layers[$0].expertCount > 0 }
    func worth(_ candidate: ExpertID) -> Double {
      guard let here = turning.firstIndex(of: expert.layer),
        let there = turning.firstIndex(of: candidate.layer)
      else { return .infinity }
      let back = Double((here - there + turning.count) % turning.count) / Double(turning.count)
      return (estimates[candidate] ?? 0) * pow(discount, -back)
    }
    return least(
      of: cache.candidates(for: expert.layer, respectingFloors: respectingFloors), worth, hint)
  }

  /// Worths that differ by rounding alone are even; the hint says which of them the cache took.
  private func least(
    of candidates: [ExpertID], _ worth: (ExpertID) -> Double, _ hint: ExpertID?
  ) -> ExpertID? {
    guard let least = candidates.map(worth).min() else { return nil }
    let even = candidates.filter { worth($0) <= least * (1 + 1e-4) }
    if let hint, even.contains(hint) { return hint }
    return even.first
  }

  private func recencyVictim(
    for layer: Int, in cache: NaiveCache, hint: ExpertID?
  ) -> ExpertID? {
    let isFull = cache.residentCount(layer) >= cache.evenShare(of: layer)
    for giver in cache.givers(to: layer, respectingFloors: true) {
      let isAbove = cache.residentCount(giver) > cache.evenShare(of: giver)
      guard giver == layer ? isFull : isAbove && !isFull else { continue }
      let own = cache.candidates(for: layer, respectingFloors: true).filter { $0.layer == giver }
      let held = shadow.held[giver] ?? []
      let others = own.filter { !held.contains($0.index) }
      if let found = least(of: others, { estimates[$0] ?? 0 }, hint) { return found }
      if let oldest = held.first(where: { own.contains(ExpertID(layer: giver, index: $0)) }) {
        return ExpertID(layer: giver, index: oldest)
      }
    }
    return nil
  }
}

/// An LRU cache of an even division, and whether it has done better than the real one.
struct ShadowLRU {
  /// By layer, least recently used first.
  private(set) var held: [Int: [Int]] = [:]
  private(set) var isTrusting = true
  private var deficit = 0
  private var requestCount = 0

  /// A step counts where each sequence has one token in it, and each of its experts once.
  mutating func add(_ runs: [NaiveRun], of layer: Int, in cache: NaiveCache) {
    let slotCount = cache.slotCounts.reduce(0, +)
    trim(layer, in: cache)
    if runs.allSatisfy({ $0.selections.count == 1 }) {
      let wanted = Set(runs.flatMap(\.selections).joined())
      for index in wanted {
        if cache.residents[ExpertID(layer: layer, index: index)] == nil { deficit += 1 }
        if held[layer]?.contains(index) != true { deficit -= 1 }
      }
      requestCount += wanted.count
      deficit = max(deficit, -slotCount)
      let tolerated = 0.005 * Double(requestCount)
      isTrusting =
        isTrusting
        ? Double(deficit) <= max(Double(slotCount) / 2, tolerated)
        : Double(deficit + slotCount) <= tolerated
    }
    for selection in runs.flatMap(\.selections) {
      for index in selection.reversed() {
        held[layer, default: []].removeAll { $0 == index }
        held[layer, default: []].append(index)
      }
      trim(layer, in: cache)
    }
  }

  private mutating func trim(_ layer: Int, in cache: NaiveCache) {
    let excess = (held[layer] ?? []).count - cache.evenShare(of: layer)
    if excess > 0 { held[layer]?.removeFirst(excess) }
  }
}
