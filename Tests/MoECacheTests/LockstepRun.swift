import MoECache
import MoECore
import Testing

/// Random operations on the cache and on its naive model, compared at each step up to the first
/// difference, since what follows one means nothing.
struct LockstepRun: ~Copyable {
  private let geometry: CacheGeometry
  /// Says in every failure how to run it again.
  private let label: String
  private(set) var hasDiverged = false
  private var cache: ExpertCache
  private var naive: NaiveCache
  private var random: SeededGenerator
  private var time = 0
  /// (sequence): the number of its last token; the first sequence counts like the cache.
  private var sequenceTimes: [Int]
  /// Requests whose pins are still held.
  private var open: [[RequestedExpert]] = []
  private var withdrawn: Set<Int> = []

  init(policy: PolicyEntry, seed: UInt64, expertCountMax: Int = 12) throws {
    var random = SeededGenerator(seed: seed)
    let classCount = Int.random(in: 1...2, using: &random)
    let layers = (0..<Int.random(in: 1...6, using: &random)).map { _ in
      LayerGeometry(
        expertCount: Int.random(in: 0...expertCountMax, using: &random),
        sizeClass: Int.random(in: 0..<classCount, using: &random))
    }
    let slotCounts = (0..<classCount).map { _ in
      Int.random(in: 1...2 * expertCountMax, using: &random)
    }
    let shares: [Double] = [0, 0.25, 0.5, 0.9, 1]
    let share = shares.randomElement(using: &random) ?? 1
    let definition = try #require(
      NaivePolicies.make(policy.name), "\(policy.name) needs its definition in NaivePolicies")
    let sequenceCountMax = Int.random(in: 1...3, using: &random)
    sequenceTimes = Array(repeating: 0, count: sequenceCountMax)
    geometry = CacheGeometry(
      layers: layers, slotCounts: slotCounts, sequenceCountMax: sequenceCountMax)
    cache = ExpertCache(geometry: geometry, policy: policy, floorShare: share)
    naive = NaiveCache(
      layers: layers, slotCounts: slotCounts, floorShare: share, policy: definition)
    self.random = random
    label = "policy \(policy.name), seed \(seed), slots \(slotCounts), floor share \(share)"
  }

  /// Runs one random operation and compares everything that can be seen.
  mutating func step() {
    guard !hasDiverged else { return }
    switch Int.random(in: 0..<26, using: &random) {
    case 0..<11: requestSome()
    case 11: beginChunk()
    case 12..<14: visitOne()
    case 14..<16: failOne()
    case 16: endOrBeginSequence()
    case 17..<19: withdrawOrRestoreOne()
    default: finishOne()
    }
    compare()
  }

  private mutating func requestSome() {
    guard open.count < 3, let layer = randomLayer() else { return }
    let all = (0..<geometry.layers[layer].expertCount).shuffled(using: &random)
    var experts = Array(all.prefix(Int.random(in: 1...4, using: &random)))
    if Int.random(in: 0..<8, using: &random) == 0 { experts.append(experts[0]) }
    time += Int.random(in: 0...2, using: &random)
    var outcomes: [RequestedExpert] = []
    cache.request(layer: layer, experts: experts.span, time: time, into: &outcomes)
    let expected = requestOfNaive(layer, experts, hints: outcomes.map(\.evicted))
    for (actual, wanted) in zip(outcomes, expected) {
      check(actual.expert == wanted.expert && actual.isHit == wanted.isHit, "hits of a request")
      check(actual.evicted == wanted.evicted, "experts evicted by a request")
      check((actual.slot != nil) == (naive.residents[actual.expert] != nil), "slots of a request")
    }
    open.append(outcomes.filter { $0.slot != nil })
  }

  /// The request as its documentation has it: all hits, then the others in order.
  private mutating func requestOfNaive(
    _ layer: Int, _ experts: [Int], hints: [ExpertID?]
  ) -> [RequestedExpert] {
    naive.beginStep(
      layer: layer, time: time, runs: [NaiveRun(sequence: 0, time: time, selections: [experts])])
    var outcomes = experts.map { index in
      let expert = ExpertID(layer: layer, index: index)
      return RequestedExpert(expert: expert, slot: nil, isHit: naive.residents[expert] != nil)
    }
    for (rank, outcome) in outcomes.enumerated() where outcome.isHit {
      naive.recordUse(outcome.expert, time: time, tokenCount: 1, rank: rank)
      naive.residents[outcome.expert]?.pinCount += 1
    }
    for rank in outcomes.indices where !outcomes[rank].isHit {
      let expert = outcomes[rank].expert
      if naive.residents[expert] != nil {
        naive.recordUse(expert, time: time, tokenCount: 1, rank: rank)
        outcomes[rank].isHit = true
      } else {
        let (_, evicted) = naive.admit(
          expert, time: time, tokenCount: 1, rank: rank, hint: hints[rank])
        outcomes[rank].evicted = evicted
      }
      naive.residents[expert]?.pinCount += 1
    }
    return outcomes
  }

  private mutating func finishOne() {
    guard !open.isEmpty else { return }
    let outcomes = open.remove(at: Int.random(in: 0..<open.count, using: &random))
    cache.finish(outcomes)
    for outcome in outcomes {
      if !outcome.isHit { naive.residents[outcome.expert]?.isLoading = false }
      naive.residents[outcome.expert]?.pinCount -= 1
    }
  }

  /// Says what tokens of some sequences select, as before the experts of a step of many rows are
  /// visited.
  private mutating func beginChunk() {
    guard let layer = randomLayer() else { return }
    let all = Array(0..<geometry.layers[layer].expertCount)
    let count = Int.random(in: 1...min(3, all.count), using: &random)
    let sequences = sequenceTimes.indices.shuffled(using: &random)
      .prefix(Int.random(in: 1...sequenceTimes.count, using: &random))
    // Often one token each.
    let isDecode = Bool.random(using: &random)
    var runs: [NaiveRun] = []
    for sequence in sequences {
      let selections = (0..<(isDecode ? 1 : Int.random(in: 1...4, using: &random))).map { _ in
        // Tokens may take fewer experts than others.
        let own = Int.random(in: 0..<4, using: &random) == 0 ? max(1, count - 1) : count
        return Array(all.shuffled(using: &random).prefix(own))
      }
      time += selections.count
      sequenceTimes[sequence] += selections.count + Int.random(in: 0...9, using: &random) / 9
      runs.append(
        NaiveRun(sequence: sequence, time: sequenceTimes[sequence], selections: selections))
    }
    for place in runs.indices where runs[place].sequence == 0 { runs[place].time = time }
    let experts = runs.flatMap(\.selections).flatMap {
      $0 + [Int](repeating: -1, count: count - $0.count)
    }
    let known = runs.map {
      KnownRun(
        SequenceID(rawValue: $0.sequence), rowCount: $0.selections.count, time: $0.time)
    }
    cache.beginStep(
      LayerStep(
        layer: layer, time: time, experts: experts.span, expertsPerToken: count, runs: known.span))
    naive.beginStep(layer: layer, time: time, runs: runs)
  }

  private mutating func endOrBeginSequence() {
    let number = Int.random(in: sequenceTimes.indices, using: &random)
    let sequence = SequenceID(rawValue: number)
    if Bool.random(using: &random) {
      cache.endSequence(sequence)
      naive.policy.endSequence(number)
    } else {
      cache.beginSequence(sequence)
      naive.policy.beginSequence(number)
    }
  }

  /// One expert of a prefill chunk, visited on its own at a time that may lie in the past.
  private mutating func visitOne() {
    guard let layer = randomLayer() else { return }
    let index = Int.random(in: 0..<geometry.layers[layer].expertCount, using: &random)
    let expert = ExpertID(layer: layer, index: index)
    let past = max(0, time - Int.random(in: 0...8, using: &random))
    let tokenCount = Int.random(in: 1...5, using: &random)
    if cache.lookup(expert) != nil {
      cache.recordUse(expert, time: past, tokenCount: tokenCount)
      naive.recordUse(expert, time: past, tokenCount: tokenCount, rank: 0)
      return
    }
    let admission = cache.admit(expert, time: past, tokenCount: tokenCount)
    let expected = naive.admit(
      expert, time: past, tokenCount: tokenCount, rank: 0, hint: admission?.evicted)
    check((admission != nil) == expected.isAdmitted, "admission")
    check(admission?.evicted == expected.evicted, "expert evicted by an admission")
    if let admission {
      cache.markResident(admission.slot)
      naive.residents[expert]?.isLoading = false
    }
  }

  /// The load of an expert that only its own request waits for fails.
  private mutating func failOne() {
    for place in open.indices {
      for (rank, outcome) in open[place].enumerated() where !outcome.isHit {
        guard let slot = outcome.slot, naive.residents[outcome.expert]?.pinCount == 1 else {
          continue
        }
        open[place].remove(at: rank)
        cache.unpin(slot)
        cache.remove(outcome.expert)
        naive.policy.remove(outcome.expert)
        naive.residents[outcome.expert] = nil
        return
      }
    }
  }

  /// A slot that nothing holds goes out of use, or one that is comes back.
  private mutating func withdrawOrRestoreOne() {
    let slot = Int.random(in: 0..<geometry.slotCount, using: &random)
    guard let sizeClass = geometry.slotRanges.firstIndex(where: { $0.contains(slot) }) else {
      return
    }
    if withdrawn.remove(slot) != nil {
      cache.restore(slot)
      naive.slotCounts[sizeClass] += 1
    } else if !cache.table.isPinned(slot) {
      if let expert = cache.table.expert(in: slot) {
        naive.policy.remove(expert)
        naive.residents[expert] = nil
      }
      cache.withdraw(slot)
      naive.slotCounts[sizeClass] -= 1
      withdrawn.insert(slot)
    }
  }

  private mutating func randomLayer() -> Int? {
    geometry.layersByClass.flatMap { $0 }.randomElement(using: &random)
  }

  private mutating func compare() {
    check(cache.residents.sorted() == naive.residents.keys.sorted(), "residents")
    check(cache.counters == naive.counters, "counters")
    for (expert, resident) in naive.residents {
      guard let slot = cache.lookup(expert) else { continue }
      check(cache.table.expert(in: slot) == expert, "expert of a slot")
      check(cache.table.isPinned(slot) == resident.isPinned, "pins")
      check(
        cache.table.state(of: slot) == (resident.isLoading ? .loading : .resident),
        "state of a slot")
      let sizeClass = geometry.layers[expert.layer].sizeClass
      check(geometry.slotRanges[sizeClass].contains(slot), "size class of a slot")
    }
  }

  private mutating func check(_ isEqual: Bool, _ subject: String) {
    guard !isEqual && !hasDiverged else { return }
    hasDiverged = true
    Issue.record("\(subject) differ from the definition: \(label)")
  }
}
