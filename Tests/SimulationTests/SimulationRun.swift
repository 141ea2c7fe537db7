import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport

/// Runs a scenario: the whole path from tokens to logits, experts coming from a disk that
/// misbehaves, against the same model with all experts in memory.
final class SimulationRun {
  /// Everything that was not as it must be; empty is a success.
  private(set) var problems: [String] = []
  private(set) var cancelledCount = 0
  /// Passes that needed more reads at once than the reader was made for.
  private(set) var refusedCount = 0
  /// The error that the disk's damage led to, if it did.
  private(set) var error: String?

  let experts: OffloadedExperts
  let reader: ExtentReader
  private let scenario: Scenario
  private let model: SimulatedModel
  private let backend: UnsteadyBackend
  private let decoder: Decoder
  private let sequence: SequenceState
  /// (position): bit patterns of the logits.
  private let expected: [[UInt32]]
  private var draw: Draw

  init(_ scenario: Scenario) throws {
    self.scenario = scenario
    draw = Draw(seed: scenario.seed ^ 0x5EED)
    model = try SimulatedModel(
      scenario.first, scenario.second, foreignLayers: scenario.foreignLayers)
    let team = try WorkerTeam(workerCount: scenario.workerCount)
    expected = try Self.residentLogits(scenario, model, team)
    backend = scenario.makeBackend(contents: model.contents)
    reader = try ExtentReader(backend: backend, files: model.files, limits: scenario.limits)
    let layout = model.tensors.experts
    let pool = PoolLayout(layout)
    let wanted = Int(Double(pool.fullByteCount) * scenario.poolShare)
    guard let policy = PolicyRegistry.entry(named: scenario.policy) else {
      preconditionFailure("drawn from the registry")
    }
    experts = try OffloadedExperts(
      layout, reader: reader, team: team, poolByteCount: max(pool.floorByteCount, wanted),
      prefetch: scenario.prefetch, policy: policy)
    if scenario.warmUpWaitCount > 0 {
      experts.warmUp(scenario.hottest)
      for _ in 1..<scenario.warmUpWaitCount { _ = experts.continueWarmUp() }
    }
    decoder = try model.decoder(
      experts, team: team, chunk: scenario.chunk, contextLength: scenario.tokens.count,
      kvType: scenario.kvType, predictor: scenario.predictor)
    guard let begun = decoder.beginSequence() else { preconditionFailure("a decoder has room") }
    sequence = begun
  }

  /// Logits of every position with all experts in memory, all tokens run as one chunk.
  private static func residentLogits(
    _ scenario: Scenario, _ model: SimulatedModel, _ team: WorkerTeam
  ) throws -> [[UInt32]] {
    let backend = MemoryBackend(contents: model.contents, depth: 4)
    let experts = try ResidentExperts(
      model.tensors.experts, reader: try ExtentReader(backend: backend, files: model.files),
      team: team)
    let tokens = scenario.tokens
    let decoder = try model.decoder(
      experts, team: team, chunk: tokens.count, contextLength: tokens.count,
      kvType: scenario.kvType)
    return try decoder.withSequence { sequence in
      try decoder.forward(tokens, of: sequence, phase: .prefill)
      return decoder.logits(ofRows: 0..<tokens.count).bits
    }
  }

  func run() {
    let prompt = scenario.promptTokens
    for start in stride(from: 0, to: prompt.count, by: scenario.chunk) {
      let tokens = prompt[start..<min(start + scenario.chunk, prompt.count)]
      guard pass(tokens, .prefill) else { return checkFailure() }
    }
    for token in scenario.decodeTokens {
      guard pass([token], .decode) else { return checkFailure() }
    }
    if backend.isHanging { problems.append("it would never have ended") }
  }

  /// One pass, as often as it is cancelled; false where it ended with an error.
  private func pass(_ tokens: ArraySlice<Int32>, _ phase: InferencePhase) -> Bool {
    let position = sequence.position
    while true {
      do {
        try forward(tokens, phase)
        checkLogits(from: position, count: tokens.count)
        checkRest()
        return true
      } catch is CancellationError {
        cancelledCount += 1
        if sequence.position != position { problems.append("cancellation moved the position") }
        checkRest()
      } catch let error as ExpertError {
        if error.description.contains("tags at once") && tokens.count > 1 {
          // An error of the one step alone, after which everything must go on.
          refusedCount += 1
          if sequence.position != position { problems.append("a refusal moved the position") }
          checkRest()
          return tokens.allSatisfy { pass([$0], phase) }
        }
        self.error = error.description
        return false
      } catch {
        problems.append("an error of another type: \(error)")
        return false
      }
    }
  }

  private func forward(_ tokens: ArraySlice<Int32>, _ phase: InferencePhase) throws {
    guard draw.happens(scenario.cancellation) else {
      return try decoder.forward(tokens, of: sequence, phase: phase)
    }
    let canceller = LayerCanceller(afterLayer: draw.integer(-1...scenario.first.layerCount - 1))
    decoder.observer = canceller
    defer { decoder.observer = nil }
    try decoder.forward(tokens, of: sequence, phase: phase, cancellation: canceller.flag)
  }

  private func checkLogits(from position: Int, count: Int) {
    let found = decoder.logits(ofRows: 0..<count).bits
    for (row, bits) in found.enumerated() where bits != expected[position + row] {
      problems.append("other logits than the resident ones at position \(position + row)")
      return
    }
  }

  /// Between passes nothing is held, nothing but what is read ahead is under way, and all accounts
  /// agree.
  private func checkRest() {
    let held = (0..<experts.slotCount).filter {
      experts.cache.table.isPinned($0) || experts.cache.table.state(of: $0) == .loading
    }
    // A pass that was cancelled before its first step leaves a warm-up as it was.
    let warming = experts.warmingCountUnderWay
    if held.count != warming { problems.append("slots \(held) are still held") }
    let (underWay, ahead) = (
      backend.disk.inFlightCount, experts.prefetchCountUnderWay + warming
    )
    if underWay > 0 && ahead == 0 { problems.append("\(underWay) reads are still under way") }
    if reader.pendingTagCount > ahead {
      problems.append("\(reader.pendingTagCount) tags are pending, \(ahead) are read ahead")
    }
    problems += backend.disk.violations
    for phase in InferencePhase.allCases {
      let counts = experts.statistics[phase]
      let counters = experts.cache.counters(for: phase)
      if counts.requestCount != counters.requestCount || counts.hitCount != counters.hitCount {
        problems.append("statistics \(counts) differ from the cache's \(counters)")
      }
    }
    checkAhead(experts.statistics)
    let statistics = experts.statistics
    let readByteCount = statistics.prefill.readByteCount + statistics.decode.readByteCount
    if readByteCount + experts.warmedByteCount != reader.counters.readByteCount {
      problems.append("\(readByteCount) bytes of \(reader.counters.readByteCount) accounted for")
    }
  }

  /// What was read ahead has been used, given up or lies there, to the byte.
  private func checkAhead(_ statistics: ExpertStatistics) {
    let (prefill, decode) = (statistics.prefill, statistics.decode)
    let sizes = model.tensors.experts.layers.map(\.storedByteCountPerExpert)
    let usedCount = prefill.prefetchedCount + decode.prefetchedCount
    let usedByteCount =
      prefill.prefetchByteCount + decode.prefetchByteCount - prefill.prefetchWastedByteCount
      - decode.prefetchWastedByteCount - experts.stagedByteCount
    if usedByteCount < usedCount * (sizes.min() ?? 0)
      || usedByteCount > usedCount * (sizes.max() ?? 0)
    {
      problems.append("\(usedCount) experts read ahead were used, but \(usedByteCount) bytes")
    }
    let (guessCount, rightCount) = (
      prefill.guessCount + decode.guessCount, prefill.rightGuessCount + decode.rightGuessCount
    )
    if rightCount > guessCount { problems.append("\(rightCount) of \(guessCount) guesses right") }
    if case .none = scenario.predictor.method, guessCount > 0 {
      problems.append("\(guessCount) guesses by nobody")
    }
  }

  /// After an error: nothing is held, the error was called for and says what to do, and stays.
  private func checkFailure() {
    guard let error else { return }
    checkRest()
    if backend.isHanging { problems.append("it would never have ended: \(error)") }
    if case .none = scenario.damage { problems.append("an error without damage: \(error)") }
    let subject =
      if case .removal = scenario.damage { backend.name } else { "part-" }
    if !error.contains(subject) { problems.append("names neither file nor device: \(error)") }
    if !["start again", "check the "].contains(where: error.contains) {
      problems.append("does not say what to do: \(error)")
    }
    let position = sequence.position
    for count in [1, 1, min(scenario.chunk, scenario.tokens.count - position), 1] {
      do {
        try decoder.forward(
          scenario.tokens[position..<position + count], of: sequence,
          phase: count == 1 ? .decode : .prefill)
        problems.append("went on after: \(error)")
        return
      } catch let again {
        if "\(again)" != error { problems.append("first: \(error), then: \(again)") }
        if sequence.position != position { problems.append("an error moved the position") }
        checkRest()
      }
    }
  }
}

extension Scenario {
  func makeBackend(contents: [[UInt8]]) -> UnsteadyBackend {
    let disk = SimulatedBackend(
      contents: contents, alignment: alignment, depth: limits.depth, seed: seed &+ 1,
      faults: faults)
    return UnsteadyBackend(disk, moods: moods, seed: seed &+ 2)
  }
}

extension FloatRows {
  /// (row): bit patterns of its elements.
  fileprivate var bits: [[UInt32]] {
    (0..<rowCount).map { row($0).array().map(\.bitPattern) }
  }
}
