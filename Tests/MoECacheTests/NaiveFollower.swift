import Foundation
import MoECache
import MoECore

/// Follower with Robust_f, f(i) = i, of arXiv 2404.06280, everything worked out anew each time.
struct NaiveFollower: NaivePolicy {
  private struct Layer {
    /// Steps since the last restart, and the experts held when it happened.
    var steps: [[Int]] = []
    /// (step): slots that it had.
    var slotCounts: [Int] = []
    var heldAtStart: Set<Int> = []
    var missCount = 0
    var isRobust = false
    /// Experts that have come in the last robust phase, and those held when it began.
    var arrived: Set<Int> = []
    var old: Set<Int> = []
    var predicted: Set<Int> = []
  }

  private var layers: [Int: Layer] = [:]
  private var bit = NaiveFrequencyBit()
  private var random = SeededGenerator(seed: 1)
  /// Uses in order, the last one at the end.
  private var useOrder: [ExpertID] = []
  private var now = 0

  private func held(_ layer: Int, in cache: NaiveCache) -> Set<Int> {
    Set(cache.residents.keys.filter { $0.layer == layer }.map(\.index))
  }

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    let slotCount = cache.evenShare(of: layer)
    var state = layers[layer] ?? Layer()
    state.steps += selections
    state.slotCounts += selections.map { _ in slotCount }
    let fewest = fewestMisses(state.steps, state.slotCounts, held: state.heldAtStart)
    if !state.isRobust && state.missCount > fewest {
      state.isRobust = true
      state.arrived = []
      state.old = held(layer, in: cache)
    }
    for expert in selections.joined() where state.isRobust && !state.arrived.contains(expert) {
      if state.arrived.count >= slotCount {
        state.isRobust = false
        state.missCount = 0
        state.steps = []
        state.slotCounts = []
        state.heldAtStart = held(layer, in: cache)
        continue
      }
      state.arrived.insert(expert)
      let starts = (0..<64).map { power in
        slotCount - Int((Double(slotCount) / exp2(Double(power))).rounded(.down)) + 1
      }.filter { $0 <= slotCount }
      if starts.contains(state.arrived.count) { state.predicted = prediction(layer, in: cache) }
    }
    layers[layer] = state
  }

  /// An interval between two uses is kept if no step in between would need more slots than there
  /// are; those that end first are tried first.
  private func fewestMisses(_ steps: [[Int]], _ slotCounts: [Int], held: Set<Int>) -> Int {
    var lastSteps = [Int: Int](uniqueKeysWithValues: held.map { ($0, 0) })
    var kept: [Range<Int>] = []
    var missCount = 0
    for (index, experts) in steps.enumerated() {
      let step = index + 1
      var fromLastStep = 0
      for expert in experts where lastSteps[expert] != step {
        let last = lastSteps[expert]
        lastSteps[expert] = step
        guard let last else {
          missCount += 1
          continue
        }
        let between = last + 1..<step
        let fits = between.allSatisfy { other in
          kept.count { $0.contains(other) } + steps[other - 1].count < slotCounts[other - 1]
        }
        if last == step - 1 ? fromLastStep < slotCounts[index] : fits {
          kept.append(between)
          if last == step - 1 { fromLastStep += 1 }
        } else {
          missCount += 1
        }
      }
    }
    return missCount
  }

  /// As many experts as the layer has slots, the most used ones; of even ones those of small index.
  private func prediction(_ layer: Int, in cache: NaiveCache) -> Set<Int> {
    let slotCount = cache.evenShare(of: layer)
    let scores = (0..<cache.layers[layer].expertCount).map {
      bit.score(ExpertID(layer: layer, index: $0), at: now)
    }
    guard slotCount > 0 else { return [] }
    let least = scores.sorted(by: >)[slotCount - 1]
    let above = scores.indices.filter { scores[$0] > least + 1e-9 }
    let even = scores.indices.filter { !above.contains($0) && scores[$0] >= least - 1e-9 }
    return Set(above + even.prefix(slotCount - above.count))
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    now = max(now, time)
    bit.note(expert, time: time, tokenCount: tokenCount)
    useOrder.removeAll { $0 == expert }
    useOrder.append(expert)
  }

  mutating func miss(_ expert: ExpertID) {
    layers[expert.layer, default: Layer()].missCount += 1
  }

  mutating func remove(_ expert: ExpertID) {}

  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    let candidates = cache.candidates(for: expert.layer, respectingFloors: respectingFloors)
    if let robust = layers[expert.layer], robust.isRobust {
      for giver in cache.givers(to: expert.layer, respectingFloors: respectingFloors) {
        let own = candidates.filter { $0.layer == giver }
        let state = layers[giver] ?? Layer()
        let unmarked = own.filter { !state.arrived.contains($0.index) }
        let isClean = !robust.old.contains(expert.index)
        let outside = unmarked.filter { isClean && !state.predicted.contains($0.index) }
        let found =
          outside.randomChoice(&random) ?? unmarked.randomChoice(&random)
          ?? own.randomChoice(&random)
        if let found { return found }
      }
      return nil
    }
    if layers[expert.layer]?.predicted.contains(expert.index) != true, respectingFloors {
      layers[expert.layer, default: Layer()].predicted = prediction(expert.layer, in: cache)
    }
    func isPredicted(_ candidate: ExpertID) -> Bool {
      layers[candidate.layer]?.predicted.contains(candidate.index) == true
    }
    let order = useOrder.filter(candidates.contains)
    return order.first { !isPredicted($0) } ?? order.first
  }
}
