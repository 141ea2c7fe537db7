import MoECache
import MoECore

/// Remembers the times of all uses; evicts by the second last one.
struct NaiveLRU2: NaivePolicy {
  private var times: [ExpertID: Set<Int>] = [:]
  private var ranks: [ExpertID: Int] = [:]
  private var clocks: [Int: Int] = [:]

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    clocks[layer] = max(clocks[layer] ?? 0, time)
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    clocks[expert.layer] = max(clocks[expert.layer] ?? 0, time)
    for token in 0..<tokenCount { times[expert, default: []].insert(time - token) }
    ranks[expert] = rank
  }

  mutating func remove(_ expert: ExpertID) {}

  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    cache.least(for: expert, respectingFloors: respectingFloors) { candidate in
      let now = clocks[candidate.layer] ?? 0
      let last = (times[candidate] ?? []).sorted(by: >).map { Double($0 - now) }
      return [
        last.count > 1 ? last[1] : -.infinity, last.first ?? -.infinity,
        -Double(ranks[candidate] ?? 0),
      ]
    }
  }
}

/// Remembers the times of all uses, and counts those of the last tokens.
struct NaiveSegmentFrequency: NaivePolicy {
  let segmentLength: Int
  private var times: [ExpertID: Set<Int>] = [:]
  private var ranks: [ExpertID: Int] = [:]
  private var clocks: [Int: Int] = [:]

  init(segmentLength: Int) { self.segmentLength = segmentLength }

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    clocks[layer] = max(clocks[layer] ?? 0, time)
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    clocks[expert.layer] = max(clocks[expert.layer] ?? 0, time)
    for token in 0..<tokenCount { times[expert, default: []].insert(time - token) }
    ranks[expert] = rank
  }

  mutating func remove(_ expert: ExpertID) {}

  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    cache.least(for: expert, respectingFloors: respectingFloors) { candidate in
      let now = clocks[candidate.layer] ?? 0
      let uses = times[candidate] ?? []
      return [
        Double(uses.count { $0 > now - segmentLength }), Double((uses.max() ?? 0) - now),
        -Double(ranks[candidate] ?? 0),
      ]
    }
  }
}

/// A list of experts in the order in which they came in.
struct NaiveLIFO: NaivePolicy {
  private var arrivals: [ExpertID] = []
  /// By layer: the experts of its last step.
  private var active: [Int: Set<Int>] = [:]

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {
    active[layer] = Set(selections.joined())
  }

  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    if !arrivals.contains(expert) { arrivals.append(expert) }
  }

  mutating func remove(_ expert: ExpertID) { arrivals.removeAll { $0 == expert } }

  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    let candidates = cache.candidates(for: expert.layer, respectingFloors: respectingFloors)
    let lastInFirst = arrivals.reversed().filter(candidates.contains)
    return lastInFirst.first {
      $0.layer != expert.layer || active[$0.layer]?.contains($0.index) != true
    } ?? lastInFirst.first
  }
}

/// Counts of each sequence and of the one that ended last, as dictionaries.
struct NaiveActivationMatrix: NaivePolicy {
  private var counts: [Int: [ExpertID: Int]] = [:]
  private var earlier: [ExpertID: Int] = [:]
  /// By layer: what the last step's tokens selected.
  private var runs: [Int: [NaiveRun]] = [:]

  mutating func beginSequence(_ sequence: Int) { counts[sequence] = nil }

  mutating func endSequence(_ sequence: Int) {
    earlier = counts.removeValue(forKey: sequence) ?? [:]
  }

  mutating func beginStep(layer: Int, time: Int, runs: [NaiveRun], in cache: NaiveCache) {
    self.runs[layer] = runs
  }

  /// Each token that is known to select the expert counts for its sequence, lower numbers first;
  /// any more count for the first of the sequences with the most tokens.
  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache
  ) {
    let runs = runs[expert.layer] ?? []
    var owners = runs.sorted { $0.sequence < $1.sequence }.flatMap { run in
      run.selections.joined().filter { $0 == expert.index }.map { _ in run.sequence }
    }
    let most = runs.map(\.selections.count).max() ?? 0
    let longest = runs.first { $0.selections.count == most }?.sequence ?? 0
    while owners.count < tokenCount { owners.append(longest) }
    for owner in owners.prefix(tokenCount) { counts[owner, default: [:]][expert, default: 0] += 1 }
  }

  mutating func remove(_ expert: ExpertID) {}

  /// Products that differ by rounding alone are even; the hint says which of them the cache took.
  func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID? {
    func share(_ matrix: [ExpertID: Int], _ candidate: ExpertID) -> Double {
      let row = matrix.filter { $0.key.layer == candidate.layer }.values.reduce(0, +)
      return Double(matrix[candidate] ?? 0) / Double(max(1, row))
    }
    let routed = cache.layers.indices.filter { cache.layers[$0].expertCount > 0 }
    func score(_ candidate: ExpertID) -> Double {
      let own = counts.values.map { share($0, candidate) }.reduce(0, +)
      return (own + 1e-4 * (1 + share(earlier, candidate)))
        * (1 - Double(routed.filter { $0 < candidate.layer }.count) / Double(routed.count))
    }
    let candidates = cache.candidates(for: expert.layer, respectingFloors: respectingFloors)
    guard let least = candidates.map(score).min() else { return nil }
    let even = candidates.filter { score($0) <= least * (1 + 1e-12) }
    if let hint, even.contains(hint) { return hint }
    return even.first
  }
}
