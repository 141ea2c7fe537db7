import Foundation
import MoECache
import MoECore

/// Whether an expert is outside the most used ones of its layer, all uses added up each time.
struct NaiveFrequencyBit {
  private var uses: [ExpertID: [Int]] = [:]

  /// Logarithm of the decayed count.
  func score(_ expert: ExpertID, at now: Int) -> Double {
    log2((uses[expert] ?? []).reduce(0) { $0 + exp2(Double($1 - now) / 32) })
  }

  mutating func note(_ expert: ExpertID, time: Int, tokenCount: Int) {
    uses[expert, default: []] += (0..<tokenCount).map { time - $0 }
  }

  /// Of the layer's experts, as many are kept as it has slots.
  func isDispensable(_ expert: ExpertID, at now: Int, in cache: NaiveCache) -> Bool {
    let own = score(expert, at: now)
    let better = (0..<cache.layers[expert.layer].expertCount).count {
      score(ExpertID(layer: expert.layer, index: $0), at: now) > own + 1e-9
    }
    return better >= cache.evenShare(of: expert.layer)
  }
}

extension Array where Element == ExpertID {
  /// Any of them, each as likely as the others; draws nothing from an empty list.
  func randomChoice(_ random: inout SeededGenerator) -> ExpertID? {
    isEmpty ? nil : self[Int(random.next() % UInt64(count))]
  }
}

struct NaiveFlush: NaivePolicy {
  private var bit = NaiveFrequencyBit()
  private var dispensable: Set<ExpertID> = []
  /// The last one at the end.
  private var useOrder: [ExpertID] = []

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {}

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    bit.note(expert, time: time, tokenCount: tokenCount)
    dispensable.remove(expert)
    if bit.isDispensable(expert, at: time, in: cache) { dispensable.insert(expert) }
    useOrder.removeAll { $0 == expert }
    useOrder.append(expert)
  }

  mutating func remove(_ expert: ExpertID) {}

  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    let candidates = cache.candidates(for: expert.layer, respectingFloors: respectingFloors)
    let order = useOrder.filter(candidates.contains)
    if order.isEmpty { return nil }
    if let found = order.first(where: dispensable.contains) { return found }
    for layer in cache.givers(to: expert.layer, respectingFloors: true) {
      for index in 0..<cache.layers[layer].expertCount {
        dispensable.insert(ExpertID(layer: layer, index: index))
      }
    }
    return order.first
  }
}

struct NaiveMark0: NaivePolicy {
  private var bit = NaiveFrequencyBit()
  private var dispensable: Set<ExpertID> = []
  private var marked: Set<ExpertID> = []
  private var random = SeededGenerator(seed: 1)
  /// The last one at the end.
  private var useOrder: [ExpertID] = []

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {}

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    bit.note(expert, time: time, tokenCount: tokenCount)
    dispensable.remove(expert)
    if bit.isDispensable(expert, at: time, in: cache) { dispensable.insert(expert) }
    marked.insert(expert)
    useOrder.removeAll { $0 == expert }
    useOrder.append(expert)
  }

  mutating func remove(_ expert: ExpertID) {}

  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    for giver in cache.givers(to: expert.layer, respectingFloors: respectingFloors) {
      let residents = cache.residents.keys.filter { $0.layer == giver }.sorted()
      let free = residents.filter { cache.residents[$0]?.isPinned == false }
      let order = useOrder.filter(free.contains)
      if let found = order.first(where: dispensable.contains) { return found }
      if residents.allSatisfy(marked.contains) {
        marked = marked.filter { $0.layer != giver }
      }
      let unmarked = free.filter { !marked.contains($0) }
      if let found = unmarked.randomChoice(&random) ?? free.randomChoice(&random) { return found }
    }
    return nil
  }
}

struct NaiveMarkAndPredict: NaivePolicy {
  private var bit = NaiveFrequencyBit()
  private var dispensable: Set<ExpertID> = []
  private var marked: Set<ExpertID> = []
  private var random = SeededGenerator(seed: 1)

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {}

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    bit.note(expert, time: time, tokenCount: tokenCount)
    dispensable.remove(expert)
    if bit.isDispensable(expert, at: time, in: cache) { dispensable.insert(expert) }
    marked.insert(expert)
  }

  mutating func remove(_ expert: ExpertID) {}

  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    for giver in cache.givers(to: expert.layer, respectingFloors: respectingFloors) {
      let residents = cache.residents.keys.filter { $0.layer == giver }.sorted()
      let free = residents.filter { cache.residents[$0]?.isPinned == false }
      if residents.allSatisfy(marked.contains) { marked = marked.filter { $0.layer != giver } }
      let unmarked = free.filter { !marked.contains($0) }
      let found =
        unmarked.filter(dispensable.contains).randomChoice(&random)
        ?? unmarked.randomChoice(&random) ?? free.randomChoice(&random)
      if let found { return found }
    }
    return nil
  }
}
