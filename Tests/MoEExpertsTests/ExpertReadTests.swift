import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEStore
import MoETestSupport
import Testing

/// Whole experts read through a simulated disk are the bytes of the file, whatever their parts.
@Suite struct ExpertReadTests {
  private func reader(
    _ placed: PlacedExperts, seed: UInt64, alignment: Int = 512
  ) throws -> ExtentReader {
    var faults = SimulatedBackend.Faults()
    (faults.shortRead, faults.again, faults.delayStepsMax) = (0.2, 0.05, 5)
    return try ExtentReader(
      backend: SimulatedBackend(
        contents: placed.contents, alignment: alignment, seed: seed, faults: faults),
      files: placed.files)
  }

  private func forms(seed: UInt64) -> [ExpertForm] {
    var random = SeededGenerator(seed: seed)
    return (0..<Int.random(in: 2...6, using: &random)).map { _ in
      ExpertForm.allCases.randomElement(using: &random) ?? .dense
    } + [ExpertForm.allCases[Int(seed) % (ExpertForm.allCases.count - 1)]]
  }

  @Test(arguments: 0..<UInt64(40))
  func expertsReadAtLoadAreWhole(_ seed: UInt64) throws {
    let placed = PlacedExperts(seed: seed, forms: forms(seed: seed))
    var progress = 0
    let source = try ResidentExperts(
      placed.layout,
      reader: try reader(placed, seed: seed, alignment: [1, 512, 4096][Int(seed % 3)]),
      team: try WorkerTeam(workerCount: 1)
    ) { progress += $0 }
    #expect(progress == placed.layout.byteCount)
    try readEverything(source, placed)
  }

  @Test(arguments: 0..<UInt64(40))
  func expertsReadAsTheyAreNeededAreWhole(_ seed: UInt64) throws {
    let placed = PlacedExperts(seed: seed, forms: forms(seed: seed))
    let pool = PoolLayout(placed.layout)
    let source = try OffloadedExperts(
      placed.layout,
      reader: try reader(placed, seed: seed, alignment: [1, 512, 4096][Int(seed % 3)]),
      team: try WorkerTeam(workerCount: 1),
      poolByteCount: pool.floorByteCount + Int(seed) * (pool.fullByteCount - pool.floorByteCount)
        / 40)
    for _ in 0..<3 { try readEverything(source, placed) }
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      source.beginStep(Self.rows(1, .decode))
      for layer in placed.layout.routedLayers {
        let count = placed.layers[layer].expertCount
        let chosen = (0..<count).shuffled(using: &random).prefix(
          placed.layers[layer].expertsPerToken
        ).sorted()
        try step(source, layer: layer, experts: chosen, placed)
      }
    }
    #expect(source.statistics.decode.hitCount > 0)
    #expect((0..<source.slotCount).allSatisfy { !source.cache.table.isPinned($0) })
  }

  /// One request to the disk for each part: gate and up in one part are one request.
  @Test(arguments: [(ExpertForm.stacked, 3), (.fused, 2), (.single, 3), (.fusedAndBiased, 4)])
  func anExpertIsReadInAsManyRequestsAsItHasParts(_ form: ExpertForm, _ count: Int) throws {
    let placed = PlacedExperts(seed: 11, forms: [form])
    let reader = try ExtentReader(
      backend: MemoryBackend(contents: placed.contents, depth: 8), files: placed.files)
    let source = try OffloadedExperts(
      placed.layout, reader: reader, team: try WorkerTeam(workerCount: 1),
      poolByteCount: PoolLayout(placed.layout).fullByteCount)
    source.beginStep(Self.rows(1, .decode))
    try step(source, layer: 0, experts: [1], placed)
    #expect(reader.counters.requestCount == count)
    #expect(reader.counters.readByteCount >= placed.layers[0].storedByteCountPerExpert)
  }

  private static func rows(_ count: Int, _ phase: InferencePhase) -> StepRows {
    StepRows(SequenceID(rawValue: 0), rowCount: count, phase: phase)
  }

  /// A step that takes every expert of every layer, in turn.
  private func readEverything(_ source: some ExpertSource, _ placed: PlacedExperts) throws {
    source.beginStep(Self.rows(8, .prefill))
    for layer in placed.layout.routedLayers {
      try step(source, layer: layer, experts: Array(0..<placed.layers[layer].expertCount), placed)
    }
  }

  private func step(
    _ source: some ExpertSource, layer: Int, experts: [Int], _ placed: PlacedExperts
  ) throws {
    try source.begin(
      layer: layer,
      requests: experts.enumerated().map {
        ExpertRequest(expert: $1, lastToken: 0, rank: $0, tokenCount: 1)
      })
    defer { source.end() }
    for (number, expert) in experts.enumerated() {
      try source.wait(for: number)
      #expect(
        source.weights(of: number).matches(placed.expected[layer][expert]),
        "layer \(layer), expert \(expert)")
      source.release(number)
    }
  }
}
