import Foundation
import MoECore
import MoEExperts
import MoEModel
import MoERuntime
import MoETestSupport
import Testing

/// The same bits whatever the budget, policy, backend, depth, chunk or thread count: the answer
/// must not depend on how much memory there is.
@Suite struct BudgetInvarianceTests {
  /// A way of running that must not change a bit.
  struct Setting: Sendable, CustomTestStringConvertible {
    var name: String
    var change: @Sendable (inout EngineOptions) -> Void

    var testDescription: String { name }
  }

  /// Pools as shares of all experts; 0 stands for the floor.
  private static let pools = [0, 0.25, 0.5, 1]

  /// Settings that differ in what is named and are tried with the same models.
  private static let groups: [[Setting]] = {
    var groups: [[Setting]] = []
    for policy in CachePolicy.allCases {
      groups.append(
        pools.map { pool in
          Setting(name: "policy \(policy), pool \(pool)") {
            $0.cachePolicy = policy
            $0.expertPool = .fraction(pool)
          }
        })
    }
    for store in Store.allCases {
      groups.append(
        [(1, 0), (64, 0.25), (1, 0.25), (64, 0)].map { depth, pool in
          Setting(name: "store \(store), depth \(depth), pool \(pool)") {
            $0.store = store
            $0.inputDepth = depth
            $0.expertPool = .fraction(pool)
          }
        })
    }
    for predictor in Predictor.allCases {
      groups.append(
        pools.prefix(3).map { pool in
          Setting(name: "predictor \(predictor), pool \(pool)") {
            $0.predictor = predictor
            $0.stagingSlotCount = 2
            $0.expertPool = .fraction(pool)
          }
        })
    }
    for chunk in [1, 3, 16, 200] {
      groups.append([
        Setting(name: "chunks of \(chunk)") {
          $0.chunkTokenCount = chunk
          $0.expertPool = .fraction(0.5)
        }
      ])
    }
    for threads in [1, 3, 7] {
      groups.append([
        Setting(name: "\(threads) threads") {
          $0.threadCount = threads
          $0.expertPool = .fraction(0.5)
        }
      ])
    }
    return groups
  }()

  /// Every setting for one model; for each of the others one of every group, and for the next model
  /// the next of them: what holds experts doesn't know architectures, so four models see them all.
  private static func settings(for model: GoldenModel) throws -> [Setting] {
    if model.name == "olmoe f32" { return groups.flatMap(\.self) }
    let number = try #require(GoldenModel.all.firstIndex { $0.name == model.name })
    return groups.enumerated().map { index, group in group[(number + index) % group.count] }
  }

  @Test(arguments: GoldenModel.all)
  func logitsAreTheResidentOnesBitForBit(_ model: GoldenModel) async throws {
    var options = GoldenModel.exactOptions
    options.placement = .resident
    let oracle = try await Engine(modelAt: model.modelPath, options: options)
    let pool = try await oracle.withDecoder { PoolLayout($0.experts.layout) }
    let expected = try await answers(of: oracle, model)
    for setting in try Self.settings(for: model) {
      var options = GoldenModel.exactOptions
      options.placement = .offloaded
      setting.change(&options)
      // Where a step's experts are more than the share asked for, the floor is the least there is.
      let wanted = options.expertPool?.byteCount(of: pool.fullByteCount) ?? 0
      options.expertPool = .bytes(max(wanted, pool.floorByteCount))
      let engine = try await Engine(modelAt: model.modelPath, options: options)
      let found = try await answers(of: engine, model)
      for (sequence, logits) in found.enumerated() {
        #expect(logits == expected[sequence], "\(setting.name), sequence \(sequence)")
      }
      try await checkThatThePoolWasUsed(engine, setting)
    }
  }

  /// Bit patterns of the logits of the golden sequences, prefilled, and of the last one again token
  /// by token, as decoding runs it.
  private func answers(of engine: Engine, _ model: GoldenModel) async throws -> [[UInt32]] {
    var answers: [[UInt32]] = []
    for sequence in model.sequences {
      let run = try await model.run(try model.tokens(sequence), on: engine)
      answers.append(run.logits.map(\.bitPattern))
    }
    let tokens = try model.tokens(model.sequences.last ?? 0)
    answers.append(
      try await engine.withDecoder { decoder in
        try decoder.withSequence { sequence in
          try tokens.flatMap { token in
            try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
            return decoder.lastLogits().array().map(\.bitPattern)
          }
        }
      })
    return answers
  }

  private func checkThatThePoolWasUsed(_ engine: Engine, _ setting: Setting) async throws {
    let (isOffloaded, traffic) = try await engine.withDecoder { decoder in
      (decoder.experts is OffloadedExperts, decoder.experts.statistics)
    }
    #expect(isOffloaded, "\(setting.name)")
    let requests = traffic.prefill.requestCount + traffic.decode.requestCount
    let hits = traffic.prefill.hitCount + traffic.decode.hitCount
    #expect(requests > hits, "\(setting.name): something must have been read")
    #expect(traffic.decode.hitCount <= traffic.decode.requestCount)
  }

  @Test(arguments: GoldenModel.all)
  func prefillAndDecodeGiveTheSameBits(_ model: GoldenModel) async throws {
    let engine = try await Engine(modelAt: model.modelPath, options: GoldenModel.exactOptions)
    let answers = try await answers(of: engine, model)
    #expect(answers[answers.count - 1] == answers[answers.count - 2])
  }
}
