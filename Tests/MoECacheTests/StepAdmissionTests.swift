import MoECache
import MoECore
import MoETestSupport
import Testing

/// The rule of admission against the same rule written down again, step by step.
@Suite struct StepAdmissionTests {
  private struct Step {
    var layer: Int
    var runs: [SequenceRun]
    var expertsPerToken: Int
    /// (row): its experts, best first.
    var selections: [[Int]]

    /// Each expert once, ascending.
    var requests: [ExpertRequest] {
      Set(selections.joined()).sorted().map { expert in
        let rows = selections.indices.filter { selections[$0].contains(expert) }
        let last = rows[rows.count - 1]
        return ExpertRequest(
          expert: expert, lastToken: last, rank: selections[last].firstIndex(of: expert) ?? 0,
          tokenCount: rows.count)
      }
    }

    /// (row, rank) with -1 for none.
    var experts: [Int] {
      selections.flatMap { $0 + [Int](repeating: -1, count: expertsPerToken - $0.count) }
    }
  }

  /// What became of each request, and the cache, by dictionaries and sorting.
  private struct Naive: ~Copyable {
    var cache: ExpertCache
    let slotCounts: [Int]
    var time = 0
    var sequenceTimes: [SequenceID: Int] = [:]

    init(_ geometry: CacheGeometry, _ policy: PolicyEntry) {
      cache = ExpertCache(geometry: geometry, policy: policy)
      slotCounts = geometry.slotRanges.map(\.count)
    }

    /// (request): whether it was a hit.
    mutating func run(_ step: Step) -> [Bool] {
      let known = step.runs.map { run in
        let last = (sequenceTimes[run.sequence] ?? -1) + run.rowCount
        sequenceTimes[run.sequence] = last
        return KnownRun(run.sequence, rowCount: run.rowCount, time: last)
      }
      let experts = step.experts
      cache.beginStep(
        LayerStep(
          layer: step.layer, time: time + step.selections.count - 1, experts: experts.span,
          expertsPerToken: step.expertsPerToken, runs: known.span))
      let geometry = cache.geometry
      let sizeClass = geometry.layers[step.layer].sizeClass
      let share = slotCounts[sizeClass] / geometry.layersByClass[sizeClass].count
      let limit = max(share, min(step.expertsPerToken, slotCounts[sizeClass]))
      defer { time += step.selections.count }
      return step.requests.count <= limit
        ? together(step) : inTurn(step, limit: limit)
    }

    private mutating func take(_ request: ExpertRequest, of layer: Int) -> (slot: Int, isHit: Bool)?
    {
      let expert = ExpertID(layer: layer, index: request.expert)
      if let slot = cache.lookup(expert) {
        cache.recordUse(
          expert, time: time + request.lastToken, tokenCount: request.tokenCount,
          rank: request.rank)
        cache.pin(slot)
        return (slot, true)
      }
      guard
        let admission = cache.admit(
          expert, time: time + request.lastToken, tokenCount: request.tokenCount,
          rank: request.rank)
      else { return nil }
      cache.pin(admission.slot)
      cache.markResident(admission.slot)
      return (admission.slot, false)
    }

    private mutating func together(_ step: Step) -> [Bool] {
      let requests = step.requests
      let order = requests.indices.sorted {
        (requests[$0].rank, requests[$0].lastToken, $0)
          < (requests[$1].rank, requests[$1].lastToken, $1)
      }
      var taken: [Int: (slot: Int, isHit: Bool)] = [:]
      let hits = order.filter {
        cache.lookup(ExpertID(layer: step.layer, index: requests[$0].expert)) != nil
      }
      for number in hits + order.filter({ !hits.contains($0) }) {
        taken[number] = take(requests[number], of: step.layer)
      }
      for slot in taken.values { cache.unpin(slot.slot) }
      return requests.indices.map { taken[$0]?.isHit ?? false }
    }

    private mutating func inTurn(_ step: Step, limit: Int) -> [Bool] {
      let requests = step.requests
      var taken: [Int: (slot: Int, isHit: Bool)] = [:]
      var heldCount = 0
      let keptMax = limit - max(1, min(8, limit / 2))
      for number in requests.indices where heldCount < keptMax {
        let expert = ExpertID(layer: step.layer, index: requests[number].expert)
        guard cache.lookup(expert) != nil else { continue }
        taken[number] = take(requests[number], of: step.layer)
        heldCount += 1
      }
      for number in requests.indices {
        for later in requests.indices where taken[later] == nil {
          guard heldCount < limit, let found = take(requests[later], of: step.layer) else { break }
          taken[later] = found
          heldCount += 1
        }
        if let slot = taken[number]?.slot { cache.unpin(slot) }
        heldCount -= 1
      }
      return requests.indices.map { taken[$0]?.isHit ?? false }
    }
  }

  private func step(_ geometry: CacheGeometry, _ random: inout SeededGenerator) -> Step {
    let layer = geometry.expertLayers.randomElement(using: &random) ?? 0
    let expertCount = geometry.layers[layer].expertCount
    let perToken = Int.random(in: 1...min(3, expertCount), using: &random)
    let sequences = (0..<geometry.sequenceCountMax).shuffled(using: &random)
      .prefix(Int.random(in: 1...geometry.sequenceCountMax, using: &random))
    let isDecode = Bool.random(using: &random)
    let runs = sequences.map {
      SequenceRun(
        SequenceID(rawValue: $0), rowCount: isDecode ? 1 : Int.random(in: 1...9, using: &random))
    }
    let selections = (0..<runs.reduce(0) { $0 + $1.rowCount }).map { _ in
      let own = Int.random(in: 0..<4, using: &random) == 0 ? max(1, perToken - 1) : perToken
      return Array((0..<expertCount).shuffled(using: &random).prefix(own))
    }
    return Step(layer: layer, runs: runs, expertsPerToken: perToken, selections: selections)
  }

  @Test(arguments: PolicyRegistry.all.map(\.name))
  func admitsWhatItsRuleSaysUnderFuzz(_ name: String) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    var (fitCount, turnCount) = (0, 0)
    for seed in Fuzz.seeds(4000, iterationsPerRun: 100) {
      var random = SeededGenerator(seed: seed)
      let layers = (0..<Int.random(in: 1...5, using: &random)).map { _ in
        LayerGeometry(
          expertCount: Int.random(in: 0...14, using: &random),
          sizeClass: Int.random(in: 0...1, using: &random))
      }
      let geometry = CacheGeometry(
        layers: layers + [LayerGeometry(expertCount: 8, sizeClass: 0)],
        slotCounts: [3, 3].map { Int.random(in: $0...20, using: &random) },
        sequenceCountMax: Int.random(in: 1...3, using: &random))
      var cache = ExpertCache(geometry: geometry, policy: policy)
      var admission = StepAdmission(geometry: geometry)
      var naive = Naive(geometry, policy)
      for number in 0..<100 {
        let step = step(geometry, &random)
        let requests = step.requests
        var hits = [Bool](repeating: false, count: requests.count)
        admission.beginStep(step.runs.span)
        admission.begin(
          layer: step.layer, requests, experts: step.experts.span,
          expertsPerToken: step.expertsPerToken, in: &cache)
        if requests.count <= admission.claimLimit { fitCount += 1 } else { turnCount += 1 }
        for released in -1..<requests.count {
          if released >= 0 { admission.release(released, in: &cache) }
          while let grant = admission.next(in: &cache) {
            hits[grant.number] = grant.isHit
            if !grant.isHit { cache.markResident(grant.slot) }
          }
          #expect(admission.claimCount <= admission.claimLimit)
        }
        admission.end()
        let wanted = naive.run(step)
        let isEqual =
          hits == wanted && cache.residents == naive.cache.residents
          && cache.counters == naive.cache.counters
        try #require(isEqual, "MOE_FUZZ_SEED=\(seed) MOE_FUZZ_ITERATIONS=1, step \(number)")
      }
    }
    #expect(fitCount > 0 && turnCount > 0)
  }

  /// Two rows whose experts fit go together: all hits are taken before any slot is given away, and
  /// slots go by rank and then by row.
  @Test func rowsOfSeveralSequencesGoTogetherWhereTheyFit() throws {
    let geometry = CacheGeometry(
      layers: [LayerGeometry(expertCount: 8, sizeClass: 0)], slotCounts: [4], sequenceCountMax: 2)
    var cache = ExpertCache(
      geometry: geometry, policy: try #require(PolicyRegistry.entry(named: "lru")))
    load([7, 6, 5, 4], of: 0, at: 0, into: &cache)
    var admission = StepAdmission(geometry: geometry)
    admission.beginStep([SequenceRun(SequenceID(rawValue: 0), rowCount: 1)].span)
    let runs = (0..<2).map { SequenceRun(SequenceID(rawValue: $0), rowCount: 1) }
    admission.beginStep(runs.span)
    let requests = [
      ExpertRequest(expert: 1, lastToken: 1, rank: 0, tokenCount: 1),
      ExpertRequest(expert: 2, lastToken: 0, rank: 0, tokenCount: 1),
      ExpertRequest(expert: 4, lastToken: 1, rank: 1, tokenCount: 2),
    ]
    admission.begin(
      layer: 0, requests, experts: [2, 4, 1, 4].span, expertsPerToken: 2, in: &cache)
    var grants: [StepAdmission.Grant] = []
    while let grant = admission.next(in: &cache) { grants.append(grant) }
    #expect(grants.map(\.number) == [1, 0, 2])
    #expect(grants.map(\.isHit) == [false, false, true])
    // Of one time the worse ranks go first; expert 4, the worst, is wanted.
    #expect(grants.map { $0.evicted?.index } == [5, 6, nil])
    #expect(admission.firstTime == 1)
  }

  /// A long chunk leaves the others' tokens known.
  @Test func everySequencesLastRowsAreKnown() {
    let runs = [300, 1, 2].enumerated().map {
      SequenceRun(SequenceID(rawValue: $0.offset), rowCount: $0.element)
    }
    let counts = SequenceRun.knownRowCounts(runs)
    #expect(counts == [SelectionHistory.tokenCount - 3, 1, 2])
    let layer = LayerGeometry(expertCount: 2, sizeClass: 0)
    var admission = StepAdmission(
      geometry: CacheGeometry(layers: [layer], slotCounts: [2], sequenceCountMax: 3))
    admission.beginStep(runs.span)
    var rows: [Int] = []
    admission.forEachKnownRow { rows.append($0) }
    #expect(rows == Array(300 - counts[0]..<303))
  }
}
