import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

/// Recorded texts replayed side by side: what a policy learns of one is no worse for the other's
/// tokens in between.
@Suite struct InterleavedReplayTests {
  private enum Order {
    /// One half of the trace after the other.
    case after
    /// A token of each half in turn.
    case tokens
    /// Steps of two rows, one of each half.
    case rows
  }

  /// Parts of a trace in a pool.
  private struct Replay {
    let trace: RoutingTrace
    /// Tokens of each half.
    let half: Int

    init(_ name: String, tokenCountMax: Int) throws {
      trace = try RoutingTraceFile(name).trace
      half = min(trace.tokenCount, tokenCountMax) / 2
    }

    func geometry(slotsPerLayer: Int) -> CacheGeometry {
      let layer = LayerGeometry(expertCount: trace.expertCount, sizeClass: 0)
      return CacheGeometry(
        layers: Array(repeating: layer, count: trace.layerCount),
        slotCounts: [min(slotsPerLayer, trace.expertCount) * trace.layerCount],
        sequenceCountMax: 2)
    }

    /// Choices of all tokens that were not read for, in points.
    ///
    /// - Parameter named: Whether the policy is told whose tokens they are.
    func served(
      _ policy: String, slotsPerLayer: Int, _ order: Order, named: Bool = true
    ) throws -> Double {
      var replay = PassReplay(
        geometry: geometry(slotsPerLayer: slotsPerLayer),
        policy: try #require(PolicyRegistry.entry(named: policy)))
      for sequence in 0..<2 { replay.beginSequence(SequenceID(rawValue: sequence)) }
      for number in 0..<(order == .rows ? half : 2 * half) {
        var rows = [(sequence: 0, token: number)]
        if order == .tokens { rows = [(number % 2, number % 2 * half + number / 2)] }
        if order == .rows { rows = [(0, number), (1, half + number)] }
        let runs = rows.map {
          SequenceRun(SequenceID(rawValue: named ? $0.sequence : 0), rowCount: 1)
        }
        replay.beginPass(.decode, runs)
        for layer in 0..<trace.layerCount {
          var step = RoutedStep(trace, tokens: rows.map(\.token), layer: layer, runs: runs)
          replay.run(&step, layer: layer)
        }
      }
      let missCount = replay.decode.requestCount - replay.decode.hitCount
      let choiceCount = 2 * half * trace.layerCount * trace.expertsPerToken
      return 100 * (1 - Double(missCount) / Double(choiceCount))
    }
  }

  static let names = [
    "real/deepseek-v2-lite-chat-prompts", "real/gemma-4-26b-a4b-chat", "real/gpt-oss-20b-mmlu",
    "real/mixtral-8x7b-humaneval", "real/qwen3-30b-a3b-chat", "nano-moe/chat", "nano-moe/docs",
    "nano-moe/python",
  ]

  /// Each sequence has as large a share of the pool as one has that runs alone. (In one pool of the
  /// same size two texts hit less whatever decides: the optimum itself loses up to five points.)
  @Test(arguments: names) func twoSequencesHitAsMuchAsOneAfterTheOther(_ name: String) throws {
    let replay = try Replay(name, tokenCountMax: 1024)
    let share = 2 * replay.trace.expertsPerToken
    let alone = try replay.served("learned", slotsPerLayer: share, .after)
    let tokens = try replay.served("learned", slotsPerLayer: 2 * share, .tokens)
    let rows = try replay.served("learned", slotsPerLayer: 2 * share, .rows)
    print("\(name), equal shares: \(alone) one after the other, \(tokens) by token, \(rows) by row")
    #expect(tokens >= alone - 0.5 && rows >= alone - 0.5)
  }

  /// In a pool of the same size for both: the lead over recency stays, and knowing whose tokens
  /// they are is what keeps it.
  @Test(arguments: names) func learningSurvivesOtherTextsInBetween(_ name: String) throws {
    let replay = try Replay(name, tokenCountMax: 1024)
    let slots = 2 * replay.trace.expertsPerToken
    let lead =
      try replay.served("learned", slotsPerLayer: slots, .after)
      - replay.served("lru", slotsPerLayer: slots, .after)
    let recent = try replay.served("lru", slotsPerLayer: slots, .tokens)
    let named = try replay.served("learned", slotsPerLayer: slots, .tokens)
    let unnamed = try replay.served("learned", slotsPerLayer: slots, .tokens, named: false)
    print(
      "\(name), one pool: lead \(lead) alone, \(named - recent) by token, "
        + "\(unnamed - recent) without names")
    #expect(named - recent > lead / 2)
    #expect(named > unnamed)
  }
}
