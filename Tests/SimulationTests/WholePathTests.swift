import Foundation
import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoETestSupport
import Testing

/// Whole runs on a disk that misbehaves, each drawn from a seed: the logits of the resident model,
/// bit for bit, or one clear error; never a wrong bit, a hang or a leaked slot.
///
/// `MOE_SIMULATION_RUNS` runs more of them, `MOE_SIMULATION_BASE` others, and
/// `make simulate SEED=n` one again.
@Suite struct WholePathTests {
  private static let replayed = number("MOE_SIMULATION_SEED")

  /// The seeds to run.
  private static let seeds: [UInt64] = {
    if let replayed { return [replayed] }
    let base = number("MOE_SIMULATION_BASE") ?? 0
    return (0..<(number("MOE_SIMULATION_RUNS") ?? 150)).map { base &+ $0 }
  }()

  private static func number(_ variable: String) -> UInt64? {
    ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) }
  }

  /// What the runs came across, so that a change of the draw can't quietly empty the test.
  private struct Tally {
    var (errors, cancellations, refusals) = (0, 0, 0)
    var (hits, misses, retries) = (0, 0, 0)
    /// Experts read ahead, and those of them that were asked for.
    var (ahead, aheadUsed) = (0, 0)

    mutating func add(_ run: SimulationRun) {
      errors += run.error == nil ? 0 : 1
      cancellations += run.cancelledCount
      refusals += run.refusedCount
      hits += run.experts.cache.counters.hitCount
      misses += run.experts.cache.counters.missCount
      retries += run.reader.counters.retryCount
      let (prefill, decode) = (run.experts.statistics.prefill, run.experts.statistics.decode)
      ahead += prefill.prefetchCount + decode.prefetchCount
      aheadUsed += prefill.prefetchedCount + decode.prefetchedCount
    }
  }

  @Test func everyRunGivesTheResidentBitsOrOneClearError() throws {
    var tally = Tally()
    for seed in Self.seeds {
      let scenario = Scenario(seed: seed)
      Self.announce(scenario)
      let run = try SimulationRun(scenario)
      run.run()
      tally.add(run)
      if run.problems.isEmpty { continue }
      Issue.record(
        """
        \(run.problems.prefix(5).joined(separator: "\n"))
        \(scenario.testDescription)
        to run it again: make simulate SEED=\(seed)
        """)
    }
    print(
      "\(Self.seeds.count) simulations from seed \(Self.seeds.first ?? 0): \(tally.errors) errors, "
        + "\(tally.cancellations) cancellations, \(tally.refusals) refusals, "
        + "\(tally.hits) hits, \(tally.misses) misses, "
        + "\(tally.retries) reads tried again, \(tally.aheadUsed) of \(tally.ahead) experts read "
        + "ahead were used")
    guard Self.seeds.count >= 100 else { return }
    #expect(tally.errors >= Self.seeds.count / 10 && tally.errors <= Self.seeds.count / 2)
    #expect(tally.cancellations >= Self.seeds.count / 2)
    #expect(tally.refusals >= Self.seeds.count / 20)
    #expect(min(tally.hits, tally.misses, tally.retries) > 20 * Self.seeds.count)
    #expect(tally.aheadUsed > Self.seeds.count / 2 && tally.ahead > tally.aheadUsed)
  }

  /// Where a run kills the process, the last line tells which it was.
  private static func announce(_ scenario: Scenario) {
    let line = replayed == nil ? "seed \(scenario.seed)" : scenario.testDescription
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
  }

  @Test func weightsReadAtLoadAreRightOrRefused() throws {
    var errorCount = 0
    for seed in Self.seeds.prefix(60) {
      let scenario = Scenario(seed: seed)
      let model = try SimulatedModel(
        scenario.first, scenario.second, foreignLayers: scenario.foreignLayers)
      let backend = scenario.makeBackend(contents: model.contents)
      let reader = try ExtentReader(backend: backend, files: model.files, limits: scenario.limits)
      do {
        let experts = try ResidentExperts(
          model.tensors.experts, reader: reader, team: try WorkerTeam(workerCount: 1))
        #expect(experts.holds(model.contents), "seed \(seed)")
      } catch {
        errorCount += 1
        if case .none = scenario.damage { Issue.record("seed \(seed): \(error)") }
      }
      #expect(backend.disk.inFlightCount == 0, "seed \(seed)")
      #expect(!backend.isHanging, "seed \(seed)")
      #expect(backend.disk.violations.isEmpty, "seed \(seed)")
    }
    if Self.seeds.count >= 60 { #expect(errorCount > 5) }
  }

  @Test func aFileThatChangesWhileItIsLoadedIsRefused() throws {
    var scenario = Scenario(seed: 1)
    let model = try SimulatedModel(scenario.first, scenario.second, foreignLayers: [0])
    scenario.faults = SimulatedBackend.Faults()
    scenario.faults.touch = (fileIndex: 1, afterCompletionCount: 3)
    scenario.moods = UnsteadyBackend.Moods()
    let backend = scenario.makeBackend(contents: model.contents)
    let reader = try ExtentReader(backend: backend, files: model.files, limits: scenario.limits)
    let error = #expect(throws: ExpertError.self) {
      try ResidentExperts(
        model.tensors.experts, reader: reader, team: try WorkerTeam(workerCount: 1))
    }
    #expect(error?.description.contains("part-1.gguf: the file changed") == true)
  }
}

extension ResidentExperts {
  /// Whether every expert's matrices are what stands in the files.
  fileprivate func holds(_ contents: [[UInt8]]) -> Bool {
    beginStep(StepRows(SequenceID(rawValue: 0), rowCount: 1, phase: .decode))
    return layout.layers.enumerated().allSatisfy { index, layer in
      begin(
        layer: index,
        requests: (0..<layer.expertCount).map {
          ExpertRequest(expert: $0, lastToken: 0, rank: $0, tokenCount: 1)
        })
      defer { end() }
      return (0..<layer.expertCount).allSatisfy { expert in
        let found = weights(of: expert)
        return layer.parts.enumerated().filter(\.element.role.isMatrix)
          .allSatisfy { part, stored in
            let bytesThere =
              switch stored.role {
              case .gate, .gateUp: found.gate?.bytes
              case .up: found.up.bytes
              default: found.down.bytes
              }
            let extent = layer.extent(part: part, expert: expert)
            let bytes = contents[extent.fileIndex][extent.offset..<extent.offset + extent.byteCount]
            return unsafe bytes.elementsEqual(
              UnsafeRawBufferPointer(start: bytesThere?.pointer, count: extent.byteCount))
          }
      }
    }
  }
}
