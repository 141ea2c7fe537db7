import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEStore
import MoETestSupport
import Testing

/// Steps with rows of several sequences: each expert is requested once for all of them, and who
/// stays is what the admission rule alone decides.
@Suite struct SequenceStepTests {
  private static let sequenceCount = 3

  /// A step's rows and what each selects in each layer.
  private struct Step {
    var rows: StepRows
    /// (layer, row, rank)
    var selections: [Int: [[Int]]]

    /// One request for each expert of a layer, ascending.
    func requests(layer: Int) -> [ExpertRequest] {
      var requests: [Int: ExpertRequest] = [:]
      for (row, experts) in (selections[layer] ?? []).enumerated() {
        for (rank, expert) in experts.enumerated() {
          let count = (requests[expert]?.tokenCount ?? 0) + 1
          requests[expert] = ExpertRequest(
            expert: expert, lastToken: row, rank: rank, tokenCount: count)
        }
      }
      return requests.values.sorted { $0.expert < $1.expert }
    }
  }

  private func steps(_ layout: ExpertLayout, seed: UInt64) -> [Step] {
    var random = SeededGenerator(seed: seed)
    return (0..<25).map { _ in
      var rows = StepRows()
      for sequence in 0..<Self.sequenceCount where Bool.random(using: &random) || rows.rowCount == 0
      {
        let isPrefill = Int.random(in: 0..<4, using: &random) == 0
        rows.append(
          SequenceID(rawValue: sequence),
          rowCount: isPrefill ? Int.random(in: 1...6, using: &random) : 1,
          phase: isPrefill ? .prefill : .decode)
      }
      var selections: [Int: [[Int]]] = [:]
      for layer in layout.routedLayers {
        let experts = layout.layers[layer]
        selections[layer] = (0..<rows.rowCount).map { _ in
          Array((0..<experts.expertCount).shuffled(using: &random).prefix(experts.expertsPerToken))
        }
      }
      return Step(rows: rows, selections: selections)
    }
  }

  /// Runs a step on a layer, computing in ascending order; returns the experts whose bytes were
  /// wrong.
  private func run(
    _ step: Step, layer: Int, on source: OffloadedExperts, _ placed: PlacedExperts
  ) throws -> [Int] {
    let perRow = placed.layers[layer].expertsPerToken
    let selections = (step.selections[layer] ?? []).flatMap(\.self)
    let memory = try AlignedBuffer(byteCount: 4 * selections.count)
    let indices = unsafe IndexView(
      memory.baseAddress.assumingMemoryBound(to: UInt32.self), count: selections.count)
    for (index, expert) in selections.enumerated() { indices[index] = UInt32(expert) }
    source.willBegin(
      layer: layer, experts: indices, stride: perRow, tokenCount: step.rows.rowCount,
      expertsPerToken: perRow)
    let requests = step.requests(layer: layer)
    try source.begin(layer: layer, requests: requests)
    defer { source.end() }
    var wrong: [Int] = []
    for (number, request) in requests.enumerated() {
      try source.wait(for: number)
      if !source.weights(of: number).matches(placed.expected[layer][request.expert]) {
        wrong.append(request.expert)
      }
      source.release(number)
    }
    withExtendedLifetime(memory) {}
    return wrong
  }

  /// The same with a cache alone; returns how many hits there were.
  private func replay(
    _ step: Step, layer: Int, perRow: Int, _ admission: inout StepAdmission,
    _ cache: inout ExpertCache
  ) -> Int {
    let requests = step.requests(layer: layer)
    let experts = (step.selections[layer] ?? []).flatMap(\.self)
    admission.begin(
      layer: layer, requests, experts: experts.span, expertsPerToken: perRow, in: &cache)
    var hitCount = 0
    func take(_ admission: inout StepAdmission, _ cache: inout ExpertCache) {
      while let grant = admission.next(in: &cache) {
        if grant.isHit { hitCount += 1 } else { cache.markResident(grant.slot) }
      }
    }
    take(&admission, &cache)
    for number in requests.indices {
      admission.release(number, in: &cache)
      take(&admission, &cache)
    }
    admission.end()
    return hitCount
  }

  @Test(arguments: PolicyRegistry.all.map(\.name))
  func severalSequencesHitWhatTheAdmissionRuleSays(_ name: String) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    var hitCount = 0
    for seed in Array(0..<6 as Range<UInt64>).thinned {
      let placed = PlacedExperts(seed: seed, forms: [.stacked, .dense, .fusedAndBiased, .single])
      let pool = PoolLayout(placed.layout)
      let size = pool.floorByteCount + (pool.fullByteCount - pool.floorByteCount) / 3
      let source = try OffloadedExperts(
        placed.layout,
        reader: try ExtentReader(
          backend: SimulatedBackend(contents: placed.contents, seed: seed), files: placed.files),
        team: try WorkerTeam(workerCount: 1), poolByteCount: size, policy: policy,
        sequenceCountMax: Self.sequenceCount)
      let slots = try #require(pool.slots(byteCount: size))
      var cache = ExpertCache(geometry: source.cache.geometry, policy: policy)
      var admission = StepAdmission(geometry: cache.geometry, ownSlotCounts: slots.cached)
      for sequence in (0..<Self.sequenceCount).map(SequenceID.init(rawValue:)) {
        source.beginSequence(sequence)
        cache.beginSequence(sequence)
      }
      for (number, step) in steps(placed.layout, seed: seed).enumerated() {
        if number == 12 {
          let sequence = SequenceID(rawValue: 1)
          source.endSequence(sequence)
          source.beginSequence(sequence)
          cache.endSequence(sequence)
          cache.beginSequence(sequence)
        }
        source.beginStep(step.rows)
        cache.phase = step.rows.phase
        admission.beginStep(step.rows.runs.span)
        for layer in placed.layout.routedLayers {
          #expect(try run(step, layer: layer, on: source, placed) == [], "seed \(seed)")
          hitCount += replay(
            step, layer: layer, perRow: placed.layers[layer].expertsPerToken, &admission, &cache)
        }
        for phase in InferencePhase.allCases {
          let counters = cache.counters(for: phase)
          #expect(counters == source.cache.counters(for: phase), "seed \(seed), step \(number)")
          #expect(counters.hitCount == source.statistics[phase].hitCount, "seed \(seed)")
          #expect(counters.requestCount == source.statistics[phase].requestCount, "seed \(seed)")
        }
        #expect(cache.residents == source.cache.residents, "seed \(seed), step \(number)")
      }
    }
    #expect(hitCount > 100)
  }

  @Test func aStepCountsAsDecodingWhereAllItsRowsDo() {
    var rows = StepRows()
    rows.append(SequenceID(rawValue: 2), rowCount: 1, phase: .decode)
    #expect(rows.phase == .decode && rows.rowCount == 1)
    rows.append(SequenceID(rawValue: 0), rowCount: 5, phase: .prefill)
    #expect(rows.phase == .prefill && rows.rowCount == 6)
    #expect(rows.runs.map(\.sequence.rawValue) == [2, 0] && rows.runs.map(\.rowCount) == [1, 5])
    rows.removeAll()
    #expect(rows.rowCount == 0 && rows.runs.isEmpty && rows.phase == .decode)
  }
}
