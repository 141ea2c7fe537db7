import Foundation
import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// Windows, chunks, sinks, caps, values of their own width, rings, and several sequences in a step.
@Suite struct OperationAttentionLimitsTests {
  private static let shapes = [
    AttentionShape(4, 2, 64), AttentionShape(6, 2, 192, 128), AttentionShape(9, 3, 40, 24),
    .latent(4, 576, 512), AttentionShape(5, 1, 33, 36), AttentionShape(24, 8, 16),
  ]
  private static let limits: [AttentionLimits] = [
    .causal, .sliding(1), .sliding(2), .sliding(64), .sliding(100), .sliding(600), .chunked(1),
    .chunked(48), .chunked(64), .chunked(512), .chunked(700),
  ]

  /// Three sequences: one at its start, one with a long past, one across a page's end.
  private static func step(
    _ shape: AttentionShape, _ type: KVType, _ level: InstructionSet, seed: UInt64
  ) throws -> AttentionStep {
    var generator = SeededGenerator(seed: seed)
    let places: [(position: Int, rowCount: Int)] = [(0, 9), (1100, 2), (125, 40)]
    let sequences = try places.map {
      try CachedSequence(
        shape, type, level, positions: $0.position + $0.rowCount, random: &generator)
    }
    return AttentionStep(sequences, places, random: &generator)
  }

  private static func sinks(_ shape: AttentionShape) -> [Float] {
    (0..<shape.heads).map { Float($0 % 5) - 2 }
  }

  @Test(arguments: Levels.all, KVType.allCases)
  func limitsEqualTheirDefinitions(_ level: InstructionSet, _ type: KVType) throws {
    let team = try Levels.team(level)
    for (index, shape) in Self.shapes.enumerated() {
      let step = try Self.step(shape, type, level, seed: UInt64(index))
      for limits in Self.limits.thinned {
        let scoring = Scoring(
          limits: limits, scale: 1 / Float(step.shape.keyWidth).squareRoot(),
          sinks: index % 2 == 0 ? Self.sinks(shape) : nil)
        #expect(agrees(step.run(team, scoring), step.oracle(scoring)), "\(shape) \(limits)")
      }
    }
  }

  @Test(arguments: Levels.all, [Float(0.25), 5, 50])
  func cappedScoresEqualTheirDefinition(_ level: InstructionSet, _ cap: Float) throws {
    let step = try Self.step(AttentionShape(4, 2, 64), .f32, level, seed: 11)
    for scale in [Float(0.001), 0.125, 10] {
      let scoring = Scoring(scale: scale, softCap: cap)
      // Scores of hundreds have errors of their own, which their weights show.
      let tolerance = scale > 1 ? 2e-5 : 2e-6
      let found = step.run(try Levels.team(level), scoring)
      #expect(agrees(found, step.oracle(scoring), tolerance: tolerance), "\(scale)")
    }
  }

  /// Bit for bit: every row alone, in chunks, all sequences together, by any number of workers.
  @Test(arguments: Levels.all, KVType.allCases)
  func companyChangesNoBit(_ level: InstructionSet, _ type: KVType) throws {
    for (index, shape) in Self.shapes.enumerated() {
      let step = try Self.step(shape, type, level, seed: UInt64(index) + 20)
      for limits in [Self.limits[index], Self.limits[index + 5]] {
        let scoring = Scoring(limits: limits, softCap: 20, sinks: Self.sinks(shape))
        var results: Set<[UInt32]> = []
        for workers in [1, 3, 5] {
          let team = try Levels.team(level, workers: workers)
          results.insert(bits(step.run(team, scoring)))
          for chunk in [1, 7] {
            results.insert(bits(step.runInChunks(team, of: chunk, scoring)))
            results.insert(bits(step.runInChunks(team, of: chunk, scoring, sharesSpans: false)))
          }
        }
        #expect(results.count == 1, "\(shape) \(limits)")
      }
    }
  }

  /// Several sequences with one row each: their spans are shared among the workers, or their heads.
  @Test(arguments: Levels.all)
  func spansOfSeveralSequencesAreShared(_ level: InstructionSet) throws {
    var generator = SeededGenerator(seed: 31)
    let shape = AttentionShape(6, 3, 32)
    let places: [(position: Int, rowCount: Int)] = [
      (1500, 1), (3, 1), (511, 1), (900, 1), (512, 2),
    ]
    let sequences = try places.map {
      try CachedSequence(
        shape, .f16, level, positions: $0.position + $0.rowCount, random: &generator)
    }
    let step = AttentionStep(sequences, places, random: &generator)
    for limits in [AttentionLimits.causal, .sliding(700), .chunked(800)] {
      let scoring = Scoring(limits: limits, sinks: Self.sinks(shape))
      let alone = bits(step.runInChunks(try Levels.team(level), of: 1, scoring))
      #expect(agrees(alone.map(Float.init(bitPattern:)), step.oracle(scoring)))
      for workers in [1, 2, 4, 7] {
        let team = try Levels.team(level, workers: workers)
        for sharesSpans in [true, false] {
          #expect(bits(step.run(team, scoring, sharesSpans: sharesSpans)) == alone, "\(limits)")
        }
      }
    }
  }

  /// A ring that has forgotten what is out of sight gives the bits of a cache that keeps all.
  @Test(arguments: Levels.all, KVType.allCases)
  func ringsChangeNoBit(_ level: InstructionSet, _ type: KVType) throws {
    for (limits, pagePositions, ringPages) in [
      (AttentionLimits.sliding(100), 64, 3), (.sliding(1), 64, 1), (.sliding(256), 128, 4),
      (.chunked(128), 64, 3), (.sliding(600), 64, 11),
    ].thinned {
      for (position, tokens) in [(1279, 1), (1216, 60), (64, 1), (5, 40), (960, 64)] {
        var results: Set<[UInt32]> = []
        for ring in [ringPages, nil] {
          var generator = SeededGenerator(seed: UInt64(position))
          let sequence = try CachedSequence(
            AttentionShape(6, 2, 48, 32), type, level, positions: position + tokens,
            pagePositions: pagePositions, ringPages: ring, random: &generator)
          let rows = ringPages == 1 ? 1 : tokens
          let step = AttentionStep(
            [sequence], [(position + tokens - rows, rows)], random: &generator)
          for workers in [1, 3] {
            results.insert(
              bits(step.run(try Levels.team(level, workers: workers), Scoring(limits: limits))))
          }
        }
        #expect(results.count == 1, "\(limits) \(position)")
        #expect(results.allSatisfy { $0.allSatisfy { !Float(bitPattern: $0).isNaN } })
      }
    }
  }

  /// Limits that reach past everything, and sinks that weigh nothing, leave every bit as it was.
  @Test(arguments: Levels.all)
  func whatLimitsNothingChangesNoBit(_ level: InstructionSet) throws {
    let step = try Self.step(AttentionShape(6, 2, 64), .f16, level, seed: 41)
    let team = try Levels.team(level, workers: 4)
    let plain = bits(step.run(team))
    for limits in [AttentionLimits.sliding(1102), .sliding(.max), .chunked(1102), .chunked(.max)] {
      #expect(bits(step.run(team, Scoring(limits: limits))) == plain, "\(limits)")
    }
    let none = [Float](repeating: -.infinity, count: 6)
    #expect(bits(step.run(team, Scoring(sinks: none))) == plain)
    #expect(bits(step.run(team, Scoring(sinks: [Float](repeating: -1e30, count: 6)))) == plain)
  }

  /// A row that sees itself alone is its own value.
  @Test(arguments: Levels.all, [AttentionLimits.sliding(1), .chunked(1)])
  func aRowThatSeesItselfAloneIsItsValue(
    _ level: InstructionSet, _ limits: AttentionLimits
  ) throws {
    let shape = AttentionShape(4, 2, 24)
    let step = try AttentionStep(shape, .f32, level, position: 60, tokens: 10, seed: 51)
    let found = step.run(try Levels.team(level), Scoring(limits: limits, scale: 1e6))
    let values = step.sequences[0].values.array
    var wanted: [Float] = []
    for position in 60..<70 {
      for head in 0..<4 {
        let start = (2 * position + head / 2) * 24
        wanted += values[start..<start + 24]
      }
    }
    #expect(found == wanted)
  }

  @Test(arguments: Levels.all, [Float(1e30), .infinity])
  func aSinkBeyondAllScoresLeavesNothing(_ level: InstructionSet, _ sink: Float) throws {
    let step = try Self.step(AttentionShape(4, 2, 64), .f16, level, seed: 61)
    for workers in [1, 3] {
      let found = step.run(
        try Levels.team(level, workers: workers), Scoring(sinks: [sink, 0, sink, -.infinity]))
      for (index, value) in found.enumerated() {
        let head = index / 64 % 4
        #expect(head % 2 == 0 ? value == 0 : value.isFinite && value != 0)
      }
    }
  }

  /// Positions whose scores are -infinity weigh nothing: not where they are a block, a span, or
  /// all there is besides a sink.
  @Test(arguments: Levels.all, [5..<6, 0..<64, 0..<512, 64..<130, 400..<600, 0..<601])
  func scoresOfMinusInfinityWeighNothing(_ level: InstructionSet, _ lost: Range<Int>) throws {
    let shape = AttentionShape(2, 1, 16)
    for limits in [AttentionLimits.causal, .sliding(590)] {
      let step = try AttentionStep(shape, .f32, level, position: 600, tokens: 1, seed: 71)
      // All of the query's elements have one sign, and the lost keys' first the other.
      let q = step.queries.row(0)
      for index in 0..<q.count { q[index] = abs(q[index]) + 0.1 }
      step.sequences[0].overwriteKeys(lost, with: -.infinity)
      let scoring = Scoring(limits: limits, sinks: [0, 1])
      for workers in [1, 2] {
        let found = step.run(try Levels.team(level, workers: workers), scoring)
        #expect(agrees(found, step.oracle(scoring)), "\(limits)")
        if lost.count == 601 { #expect(found.allSatisfy { $0 == 0 }) }
      }
    }
  }

  /// The same step runs where the ring keeps the window, and ends the process where it does not.
  @Test func whatARingHasForgottenIsRefused() async {
    await #expect(processExitsWith: .success) { try Self.attendInRing(window: 100) }
    await #expect(processExitsWith: .failure) { try Self.attendInRing(window: 200) }
  }

  /// One row at position 299, in a ring of three pages of 64.
  private static func attendInRing(window: Int) throws {
    var generator = SeededGenerator(seed: 1)
    let sequence = try CachedSequence(
      AttentionShape(1, 1, 8), .f32, .scalar, positions: 300, ringPages: 3, random: &generator)
    let step = AttentionStep([sequence], [(299, 1)], random: &generator)
    _ = step.run(try Levels.team(.scalar), Scoring(limits: .sliding(window)))
  }

  // MARK: - Random cases

  /// Seeds count up from MOE_FUZZ_SEED, or 1; a failure names its own.
  @Test func randomStepsEqualTheirDefinitionAlone() throws {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["MOE_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
    let count = environment["MOE_FUZZ_ITERATIONS"].flatMap(UInt64.init).map { $0 / 1000 + 1 } ?? 60
    for seed in first..<first + count {
      var generator = SeededGenerator(seed: seed)
      let level = Levels.all[Int(generator.next() % UInt64(Levels.all.count))]
      let step = try AttentionStep.random(level, &generator)
      let scoring = Scoring.random(
        step.shape, reach: step.reach, forgets: step.forgets, &generator)
      func team() throws -> WorkerTeam {
        try Levels.team(level, workers: 1 + Int(generator.next() % 6))
      }
      let found = step.run(try team(), scoring, sharesSpans: generator.next() % 2 == 0)
      let message = "MOE_FUZZ_SEED=\(seed) \(level) \(step.shape) \(step.places) \(scoring)"
      #expect(agrees(found, step.oracle(scoring), tolerance: 4e-6), "\(message)")
      let alone = step.runInChunks(
        try team(), of: 1, scoring, sharesSpans: generator.next() % 2 == 0)
      #expect(bits(found) == bits(alone), "\(message)")
    }
  }
}
