import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Whoever guesses: the same bits, the same hits, and an account of every byte.
@Suite struct PredictorInvarianceTests {
  private static let slotCount = 3

  private static func makeModel() throws -> SimulatedModel {
    var shape = SyntheticModel(.qwen3moe)
    (shape.layerCount, shape.expertCount, shape.expertsPerToken) = (4, 16, 3)
    return try SimulatedModel(shape, shape, foreignLayers: [])
  }

  private func experts(_ model: SimulatedModel, _ team: WorkerTeam) throws -> OffloadedExperts {
    let layout = model.tensors.experts
    return try OffloadedExperts(
      layout,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 8), files: model.files),
      team: team, poolByteCount: PoolLayout(layout).fullByteCount / 3,
      prefetch: PrefetchOptions(stagingSlotCount: Self.slotCount, leastProbability: 0))
  }

  /// Logits of three texts: prompts in chunks, then tokens one by one.
  private func run(_ decoder: Decoder) throws -> [[UInt32]] {
    var draw = Draw(seed: 7)
    var logits: [[UInt32]] = []
    for _ in 0..<3 {
      try decoder.withSequence { sequence in
        for _ in 0..<2 {
          let tokens = (0..<draw.integer(2...6)).map { _ in Int32(draw.integer(0...200)) }
          try decoder.forward(tokens, of: sequence, phase: .prefill)
        }
        for _ in 0..<16 {
          try decoder.forward([Int32(draw.integer(0...200))], of: sequence, phase: .decode)
          logits.append(decoder.lastLogits().array().map(\.bitPattern))
        }
      }
    }
    return logits
  }

  private func decoder(
    _ model: SimulatedModel, _ source: any ExpertSource, _ team: WorkerTeam, _ entry: PredictorEntry
  ) throws -> Decoder {
    try model.decoder(
      source, team: team, chunk: 8, contextLength: 32, kvType: .f32, predictor: entry)
  }

  @Test(arguments: PredictorRegistry.all.map(\.name))
  func guessesChangeWhatIsPrefetchedAndNothingElse(_ name: String) throws {
    let entry = try #require(PredictorRegistry.entry(named: name))
    let model = try Self.makeModel()
    let team = try WorkerTeam(workerCount: 2)
    let plain = try experts(model, team)
    let expected = try run(try decoder(model, plain, team, PredictorRegistry.off))
    let source = try experts(model, team)
    #expect(try run(try decoder(model, source, team, entry)) == expected)
    let size = model.tensors.experts.layers[0].storedByteCountPerExpert
    for phase in InferencePhase.allCases {
      let (found, wanted) = (source.statistics[phase], plain.statistics[phase])
      #expect(found.requestCount == wanted.requestCount && found.hitCount == wanted.hitCount)
      #expect(wanted.guessCount == 0 && wanted.prefetchCount == 0)
      #expect(found.prefetchByteCount == found.prefetchCount * size)
      #expect(found.rightGuessCount <= found.guessCount)
    }
    let (prefill, decode) = (source.statistics.prefill, source.statistics.decode)
    let wasted = prefill.prefetchWastedByteCount + decode.prefetchWastedByteCount
    let used = (prefill.prefetchedCount + decode.prefetchedCount) * size
    #expect(
      prefill.prefetchByteCount + decode.prefetchByteCount
        == used + wasted + source.stagedByteCount)
    if case .none = entry.method {
      #expect(decode.guessCount == 0 && decode.prefetchCount == 0 && wasted == 0)
    } else {
      #expect(decode.rightGuessCount > 0 && decode.prefetchedCount > 0 && wasted > 0)
    }
  }

  /// What a step guessed is what its layer's own selection is compared with: counted again from
  /// outside.
  @Test func rightGuessesAreThoseThatTheNextLayerTakes() throws {
    let model = try Self.makeModel()
    let team = try WorkerTeam(workerCount: 1)
    let source = GuessRecorder(try experts(model, team))
    let entry = try #require(PredictorRegistry.entry(named: "affinity"))
    _ = try run(try decoder(model, source, team, entry))
    let statistics = source.statistics
    #expect(statistics.decode.guessCount == source.guessCount)
    #expect(statistics.decode.rightGuessCount == source.rightCount)
    #expect(source.rightCount > 50 && source.rightCount < source.guessCount)
  }
}

/// Hands everything on and compares guesses with what is then asked for, while decoding.
private final class GuessRecorder: ExpertSource {
  private let source: OffloadedExperts
  private var phase = InferencePhase.prefill
  private var guessed: (layer: Int, experts: Set<Int>)?
  private(set) var guessCount = 0
  private(set) var rightCount = 0

  init(_ source: OffloadedExperts) { self.source = source }

  var layout: ExpertLayout { source.layout }
  var loanByteCount: Int { source.loanByteCount }
  var statistics: ExpertStatistics { source.statistics }

  func beginSequence(_ sequence: SequenceID) { source.beginSequence(sequence) }
  func endSequence(_ sequence: SequenceID) { source.endSequence(sequence) }

  func beginStep(_ rows: StepRows) {
    phase = rows.phase
    source.beginStep(rows)
  }

  func isResident(layer: Int, expert: Int) -> Bool {
    source.isResident(layer: layer, expert: expert)
  }

  func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {
    source.willBegin(
      layer: layer, experts: experts, stride: stride, tokenCount: tokenCount,
      expertsPerToken: expertsPerToken)
  }

  func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError) {
    if let guessed, phase == .decode, guessed.layer == layer {
      guessCount += guessed.experts.count
      rightCount += requests.count { guessed.experts.contains($0.expert) }
    }
    guessed = nil
    try source.begin(layer: layer, requests: requests)
  }

  func prefetch(layer: Int, guesses: [ExpertGuess]) {
    guessed = (layer, Set(guesses.map(\.expert)))
    source.prefetch(layer: layer, guesses: guesses)
  }

  func waitForAny(_ ready: inout [Int]) throws(ExpertError) -> Int {
    try source.waitForAny(&ready)
  }
  func wait(for number: Int) throws(ExpertError) { try source.wait(for: number) }
  func weights(of number: Int) -> ExpertWeights { source.weights(of: number) }
  func release(_ number: Int) { source.release(number) }
  func end() { source.end() }
  var holdsEveryRequest: Bool { source.holdsEveryRequest }
  func canPrefetch(layer: Int) -> Bool { source.canPrefetch(layer: layer) }
  func setLoan(byteCount: Int) { source.setLoan(byteCount: byteCount) }
  func advance() { source.advance() }
}
