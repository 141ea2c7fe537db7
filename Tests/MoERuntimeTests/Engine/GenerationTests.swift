import Foundation
import MoERuntime
import MoESynthetic
import MoETestSupport
import MoETokenizer
import Testing

@Suite struct GenerationTests {
  private let prompt: [Int32] = [10, 200, 33, 47, 5, 91]

  @Test func theSameSeedGivesTheSameTokensInAnotherEngine() async throws {
    let model = try TinyModel()
    let options = GenerationOptions.wild(40, seed: 3)
    let first = try await model.engine().generate(tokens: prompt, options).collect()
    let second = try await model.engine { $0.placement = .resident }
      .generate(tokens: prompt, options).collect()
    #expect(first == second && first.count == 40)
    let other = try await model.engine()
      .generate(tokens: prompt, .wild(40, seed: 4)).collect()
    #expect(other != first)
  }

  @Test func anEngineForgetsWhatItGeneratedBefore() async throws {
    let engine = try await TinyModel().engine()
    let first = try await engine.generate(tokens: prompt, .greedy(12)).collect()
    _ = try await engine.generate(tokens: [1, 2, 3], .greedy(50)).collect()
    #expect(try await engine.generate(tokens: prompt, .greedy(12)).collect() == first)
  }

  @Test func aFullContextEndsTheText() async throws {
    let engine = try await TinyModel().engine { $0.contextLength = 32 }
    // The last token needs no position of its own.
    for (count, expected) in [(6, 27), (31, 2), (32, 1)] {
      let tokens = (0..<count).map { Int32($0) }
      let unlimited = try await engine.generate(tokens: tokens, .greedy(nil)).collect()
      #expect(unlimited.count == expected)
      #expect(try await engine.generate(tokens: tokens, .greedy(1000)).collect() == unlimited)
    }
  }

  @Test func aPromptLongerThanTheContextIsRefused() async throws {
    let engine = try await TinyModel().engine { $0.contextLength = 32 }
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: Array(repeating: 1, count: 33)).collect()
    }
    guard case .contextExceeded(33, 32) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("a larger context") == true)
  }

  @Test(arguments: [-1, 512, Int32.max, Int32.min])
  func anUnknownTokenIsRefused(_ token: Int32) async throws {
    let engine = try await TinyModel().engine()
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: [1, token]).collect()
    }
    #expect(error?.description.contains("token \(token) is not in the vocabulary of 512") == true)
  }

  @Test func anEmptyPromptBeginsAText() async throws {
    let engine = try await TinyModel().engine()
    let begin = try #require(engine.tokenizer.beginToken)
    let expected = try await engine.generate(tokens: [begin], .greedy(9)).collect()
    #expect(try await engine.generate("", .greedy(9)).collect() == expected)
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: []).collect()
    }
    guard case .emptyPrompt = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// What is left out of the statistics is computed all the same: sums and text stay.
  @Test(arguments: [1, 4, 6, 100])
  func contextIsLeftOutOfTheStatisticsAndNotOutOfTheText(_ contextCount: Int) async throws {
    let model = try TinyModel()
    func run(_ contextCount: Int) async throws -> ([GeneratedToken], GenerationStatistics) {
      var options = GenerationOptions.greedy(9)
      options.contextTokenCount = contextCount
      let generation = try await model.engine { $0.chunkTokenCount = 1 }
        .generate(tokens: prompt, options)
      return (try await generation.collect(), try #require(generation.statistics))
    }
    let (whole, wholeStatistics) = try await run(0)
    let (tokens, statistics) = try await run(contextCount)
    #expect(tokens == whole)
    let counted = max(0, prompt.count - contextCount)
    #expect(statistics.promptTokenCount == counted)
    // One token at a time: each makes the same count of requests.
    #expect(
      statistics.prefill.requestCount * prompt.count
        == wholeStatistics.prefill.requestCount * counted)
    #expect(statistics.decode.requestCount == wholeStatistics.decode.requestCount)
  }

  @Test func aContextOfLessThanNothingIsRefused() async throws {
    let engine = try await TinyModel().engine()
    var options = GenerationOptions.greedy(1)
    options.contextTokenCount = -1
    await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: prompt, options).collect()
    }
  }

  @Test func anUnloadedEngineRefusesEveryRequest() async throws {
    let engine = try await TinyModel().engine()
    _ = try await engine.generate(tokens: prompt, .greedy(2)).collect()
    await engine.unload()
    for _ in 0..<2 {
      let error = await #expect(throws: EngineError.self) {
        _ = try await engine.generate(tokens: prompt, .greedy(2)).collect()
      }
      guard case .unloaded = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.perplexity(of: prompt + prompt)
    }
    #expect(error?.description.contains("unloaded") == true)
    await engine.unload()
  }

  @Test func textIsReadAsItsTokens() async throws {
    let engine = try await TinyModel().engine()
    let tokens = engine.tokenizer.encode("hello there", addSpecial: true, parseSpecial: true)
    let expected = try await engine.generate(tokens: tokens, .greedy(9)).collect()
    #expect(try await engine.generate("hello there", .greedy(9)).collect() == expected)
  }

  @Test func onlySegmentsAndTheOptionMakeControlTokensOfText() async throws {
    let engine = try await TinyModel().engine()
    let tokenizer = engine.tokenizer
    let end = try #require(tokenizer.endToken)
    let name = try #require(tokenizer.text(of: end))
    let steering = try await engine.generate(tokens: [97, end], .greedy(9)).collect()
    let text = try await engine.generate(
      tokens: tokenizer.encode("a" + name), .greedy(9)
    ).collect()
    try #require(text != steering)
    var options = GenerationOptions.greedy(9)
    #expect(try await engine.generate("a" + name, options).collect() == text)
    #expect(try await engine.generate([.text("a" + name)], options).collect() == text)
    #expect(try await engine.generate([.markup("a" + name)], options).collect() == steering)
    let segments: [PromptSegment] = [.text("a"), .token(end)]
    #expect(try await engine.generate(segments, options).collect() == steering)
    options.parsesSpecialTokens = true
    #expect(try await engine.generate("a" + name, options).collect() == steering)
    await #expect(throws: EngineError.self) {
      _ = try await engine.generate([.text("a"), .token(512)], options).collect()
    }
  }

  @Test func theEndTokenEndsTheTextUnlessIgnored() async throws {
    let engine = try await TinyModel { $0.contextLength = 4096 }.engine()
    let end = try #require(engine.tokenizer.endToken)
    var options = GenerationOptions.wild(1500, seed: 11)
    let all = try await engine.generate(tokens: prompt, options).collect()
    let position = try #require(all.firstIndex { $0.id == end })
    options.ignoresEnd = false
    let short = try await engine.generate(tokens: prompt, options).collect()
    let expected = all[..<position].map(\.id)
    #expect(short.map(\.id).filter { $0 != end } == expected)
    let text = engine.tokenizer.decode(expected)
    #expect(short.map(\.text).joined() == text)
  }

  @Test(arguments: [true, false])
  func piecesJoinToTheDecodedText(rendersSpecial: Bool) async throws {
    let engine = try await TinyModel { $0.contextLength = 4096 }.engine()
    for seed in 1...4 as ClosedRange<UInt64> {
      // Single bytes in random order: characters are begun and not completed.
      var options = GenerationOptions.wild(500, seed: seed)
      options.rendersSpecialTokens = rendersSpecial
      let tokens = try await engine.generate(tokens: prompt, options).collect()
      #expect(tokens.count == 500)
      let text = engine.tokenizer.decode(tokens.map(\.id), renderSpecial: rendersSpecial)
      #expect(tokens.map(\.text).joined() == text, "seed \(seed)")
    }
  }

  @Test func noTokensAreGeneratedWhereNoneAreWanted() async throws {
    let generation = try await TinyModel().engine().generate(tokens: prompt, .greedy(0))
    #expect(try await generation.collect().isEmpty)
    #expect(generation.statistics?.promptTokenCount == prompt.count)
    #expect(generation.statistics?.generatedTokenCount == 0)
  }

  static let wrongOptions: [@Sendable (inout GenerationOptions) -> Void] = [
    { $0.tokenCountMax = -1 }, { $0.sampling.temperature = .nan }, { $0.sampling.topP = .nan },
    { $0.sampling.minP = .nan }, { $0.sampling.repeatPenalty = 0 },
    { $0.sampling.repeatPenalty = -1 }, { $0.sampling.repeatPenalty = .infinity },
  ]

  @Test(arguments: wrongOptions.indices)
  func optionsWithoutAMeaningAreRefused(_ index: Int) async throws {
    let engine = try await TinyModel().engine()
    var options = GenerationOptions()
    Self.wrongOptions[index](&options)
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: [1], options).collect()
    }
    guard case .invalidOption = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: [EnginePlacement.offloaded, .resident])
  func statisticsCountWhatWasDone(_ placement: EnginePlacement) async throws {
    let model = try TinyModel()
    let engine = try await model.engine {
      $0.placement = placement == .resident ? .resident : .offloaded
    }
    let generation = engine.generate(tokens: prompt, .greedy(10))
    _ = try await generation.collect()
    let statistics = try #require(generation.statistics)
    #expect(statistics.promptTokenCount == prompt.count)
    #expect(statistics.generatedTokenCount == 10)
    let perToken = model.model.layerCount * model.model.expertsPerToken
    // The first token comes from the prompt's logits.
    #expect(statistics.decode.requestCount == 9 * perToken)
    #expect((perToken...prompt.count * perToken).contains(statistics.prefill.requestCount))
    for traffic in [statistics.prefill, statistics.decode] {
      #expect((0...1).contains(traffic.hitRate) && traffic.stallSeconds >= 0)
      #expect((traffic.readByteCount > 0) == (traffic.hitCount < traffic.requestCount))
    }
    if placement == .resident {
      #expect(statistics.prefill.hitRate == 1 && statistics.decode.hitRate == 1)
    } else {
      #expect(statistics.prefill.hitRate < 1)
    }
    #expect(statistics.prefillSeconds > 0 && statistics.decodeSeconds > 0)
    #expect(statistics.prefillTokensPerSecond > 0 && statistics.decodeTokensPerSecond > 0)
    #expect(statistics.peakByteCount > 1 << 20)
    #expect(statistics.budgetByteCount == engine.plan.memory.budgetByteCount)
  }

  enum EnginePlacement: Sendable { case offloaded, resident }

  @Test func progressIsReportedFromStartToEnd() async throws {
    let model = try TinyModel()
    let loading = Recorder<[Int]>()
    var engineOptions = EngineOptions()
    engineOptions.chunkTokenCount = 4
    let engine = try await Engine(modelAt: model.path, options: engineOptions) {
      loading.append([$0, $1])
    }
    let steps = loading.all
    #expect(steps.last?[0] == steps.last?[1] && Set(steps.map { $0[1] }).count == 1)
    #expect(steps.map { $0[0] } == steps.map { $0[0] }.sorted())

    let reading = Recorder<[Int]>()
    var options = GenerationOptions.greedy(1)
    options.promptProgress = { reading.append([$0, $1]) }
    _ = try await engine.generate(tokens: Array(0..<10), options).collect()
    #expect(reading.all == [[0, 10], [2, 10], [4, 10], [6, 10], [8, 10], [9, 10], [10, 10]])
  }
}
