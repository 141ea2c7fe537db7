import Foundation
import MoECache
import MoECore

/// The definition of every registered policy, by name.
enum NaivePolicies {
  static func make(_ name: String) -> (any NaivePolicy)? {
    switch name {
    case "lru": NaiveLRU()
    case "lfu": NaiveLFU(halfLife: 32)
    case "clock": NaiveClock()
    case "lru-2": NaiveLRU2()
    case "segment": NaiveSegmentFrequency(segmentLength: 16)
    case "lifo": NaiveLIFO()
    case "activation-matrix": NaiveActivationMatrix()
    case "flush": NaiveFlush()
    case "mark0": NaiveMark0()
    case "mark-predict": NaiveMarkAndPredict()
    case "follower": NaiveFollower()
    case "learned": NaiveLearned()
    default: nil
    }
  }
}

/// Sorts experts by age in turns of their own layer; then the worse rank goes first, then the layer
/// whose turn is furthest away, then the earlier call.
struct NaiveLRU: NaivePolicy {
  private var lastUses: [ExpertID: (time: Int, rank: Int, call: Int)] = [:]
  private var clocks: [Int: Int] = [:]
  private var callCount = 0

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    advance(layer, to: time)
  }

  private mutating func advance(_ layer: Int, to time: Int) {
    clocks[layer] = max(clocks[layer] ?? 0, time)
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    advance(expert.layer, to: time)
    callCount += 1
    lastUses[expert] = (max(lastUses[expert]?.time ?? 0, time), rank, callCount)
  }

  mutating func remove(_ expert: ExpertID) { lastUses[expert] = nil }

  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    let layer = expert.layer
    let ring = cache.classmates(of: layer)
    func key(_ expert: ExpertID) -> [Int] {
      guard let last = lastUses[expert], let here = ring.firstIndex(of: layer),
        let there = ring.firstIndex(of: expert.layer)
      else { return [] }
      let turnsBack = (here - there + ring.count) % ring.count
      return [last.time - (clocks[expert.layer] ?? 0), -last.rank, turnsBack, last.call]
    }
    return cache.candidates(for: layer, respectingFloors: respectingFloors).min {
      key($0).lexicographicallyPrecedes(key($1))
    }
  }
}

/// Remembers every use for ever and adds them up again each time.
struct NaiveLFU: NaivePolicy {
  let halfLife: Double
  private var uses: [ExpertID: [Int]] = [:]
  private var clocks: [Int: Int] = [:]

  init(halfLife: Double) { self.halfLife = halfLife }

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    advance(layer, to: time)
  }

  private mutating func advance(_ layer: Int, to time: Int) {
    clocks[layer] = max(clocks[layer] ?? 0, time)
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    advance(expert.layer, to: time)
    uses[expert, default: []] += (0..<tokenCount).map { time - $0 }
  }

  mutating func remove(_ expert: ExpertID) {}

  /// Sums that differ by rounding alone are even; the hint says which of them the cache took.
  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    func score(_ expert: ExpertID) -> Double {
      let now = clocks[expert.layer] ?? 0
      return (uses[expert] ?? []).reduce(0) { $0 + exp2(Double($1 - now) / halfLife) }
    }
    let candidates = cache.candidates(for: expert.layer, respectingFloors: respectingFloors)
    guard let least = candidates.map(score).min() else { return nil }
    let even = candidates.filter { score($0) <= least * (1 + 1e-9) }
    return even.first { $0 == hint } ?? even.first
  }
}

/// Rings as arrays that are turned, one per layer, whose layers take turns.
struct NaiveClock: NaivePolicy {
  /// By layer, its experts from the one under the hand on.
  private var rings: [Int: [ExpertID]] = [:]
  private var used: Set<ExpertID> = []
  /// By size class: whose turn it is among its layers, and the looks left in it.
  private var turns: [Int: (place: Int, looksLeft: Int)] = [:]

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {}

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    if rings[expert.layer, default: []].contains(expert) {
      used.insert(expert)
    } else {
      rings[expert.layer, default: []].append(expert)
    }
  }

  mutating func remove(_ expert: ExpertID) {
    rings[expert.layer]?.removeAll { $0 == expert }
    used.remove(expert)
  }

  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    let layer = expert.layer
    let sizeClass = cache.layers[layer].sizeClass
    let layers = cache.classmates(of: layer)
    for _ in 0...2 * layers.count {
      var (place, looksLeft) = turns[sizeClass] ?? (0, 0)
      let giver = layers[place]
      let isOpen = !respectingFloors || cache.mayGive(giver, to: layer)
      while isOpen, looksLeft > 0, let expert = rings[giver]?.first {
        looksLeft -= 1
        turns[sizeClass] = (place, looksLeft)
        rings[giver]?.removeFirst()
        rings[giver]?.append(expert)
        if cache.residents[expert]?.isPinned ?? true { continue }
        if used.remove(expert) == nil { return expert }
      }
      place = (place + 1) % layers.count
      turns[sizeClass] = (place, rings[layers[place]]?.count ?? 0)
    }
    return nil
  }
}
