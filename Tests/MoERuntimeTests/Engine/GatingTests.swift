import Foundation
import MoEAnalysis
import MoECache
import MoECore
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Gatings in an engine: what they may change, and what not.
@Suite struct GatingTests {
  private let tiny: TinyModel
  private let prompt: [Int32] = (0..<37).map { (index: Int32) in (index * index * 5 + 3) % 512 }

  init() throws {
    tiny = try TinyModel {
      ($0.layerCount, $0.expertCount, $0.expertsPerToken) = (4, 16, 4)
    }
  }

  /// Settings that do not ask what is in memory, with the mean experts of a token where that is
  /// known.
  static let independent: [(text: String, mean: Double?)] = [
    ("top-k:2", 2), ("schedule:4,2,1,1", (4 + 2 + 2 + 1) / 4), ("top-p:0.3", nil),
    ("threshold:0.6", nil), ("prototypes:2", 2),
  ]

  private func options(_ tokenCount: Int, _ gating: String) throws -> GenerationOptions {
    var options = GenerationOptions.greedy(tokenCount)
    options.gating = try GatingSpecification(parsing: gating)
    return options
  }

  /// The tokens of a generation and their statistics.
  private func generate(
    _ engine: Engine, _ gating: String, tokenCount: Int = 30
  ) async throws -> (ids: [Int32], statistics: GenerationStatistics) {
    let generation = engine.generate(tokens: prompt, try options(tokenCount, gating))
    let ids = try await generation.collect().map(\.id)
    return (ids, try #require(generation.statistics))
  }

  /// Bits of the logits after a prompt and after each of some tokens.
  private func logits(_ engine: Engine, _ gating: String?) async throws -> [UInt32] {
    let prompt = prompt
    return try await engine.withDecoder { decoder in
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      sequence.gating = try gating.flatMap {
        try GatingRegistry.parse($0)?(GatingShape(decoder.description))
      }
      var (bits, start) = ([UInt32](), 0)
      while start < 25 {
        let count = min(decoder.stepRowCountMax, 25 - start)
        try decoder.forward(prompt[start..<start + count], of: sequence, phase: .prefill)
        start += count
      }
      bits += decoder.lastLogits().array().map(\.bitPattern)
      for token in prompt[25...] {
        try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
        bits += decoder.lastLogits().array().map(\.bitPattern)
      }
      return bits
    }
  }

  /// No budget, chunk size or number of threads changes a bit, with a gating as without.
  @Test(arguments: independent.map(\.text))
  func memoryAndChunksChangeNoBit(_ text: String) async throws {
    let resident = try await tiny.engine { ($0.placement, $0.expertPool) = (.resident, nil) }
    let expected = try await logits(resident, text)
    #expect(try await logits(resident, nil) != expected, "the gating must do something")
    for (pool, chunk, threads) in [(0.3, 1, 1), (0.5, 7, 3), (1, 64, 2)] {
      let engine = try await tiny.engine {
        $0.expertPool = .fraction(pool)
        ($0.chunkTokenCount, $0.threadCount) = (chunk, threads)
      }
      #expect(try await logits(engine, text) == expected, "pool \(pool), chunks of \(chunk)")
    }
  }

  /// What takes nothing away is the model as it is, and the model as it is comes back afterwards.
  @Test func neutralGatingsChangeNoBit() async throws {
    let engine = try await tiny.engine()
    let expected = try await logits(engine, nil)
    for text in [
      "off", "top-k:4", "schedule:4,4,4,1", "top-p:1", "threshold:0", "cache-prior:0",
      "miss-skip:1",
    ] {
      #expect(try await logits(engine, text) == expected, "\(text)")
    }
    _ = try await logits(engine, "top-k:1")
    #expect(try await logits(engine, nil) == expected)
  }

  @Test(arguments: independent)
  func statisticsSayHowManyExpertsTokensTook(_ text: String, _ mean: Double?) async throws {
    let engine = try await tiny.engine()
    let (_, statistics) = try await generate(engine, text)
    let gating = try #require(statistics.gating)
    #expect(gating.gating == text)
    let prefill = try #require(gating.prefillExpertsPerToken)
    let decode = try #require(gating.decodeExpertsPerToken)
    for count in [prefill, decode] {
      #expect(count >= 1 && count < 4)
      if let mean { #expect(count == mean) }
    }
    // A decode step asks once for each expert of its token: 29 steps on 4 layers.
    #expect(abs(decode * 29 * 4 - Double(statistics.decode.requestCount)) < 1e-6)
    let plain = try await generate(engine, "off")
    #expect(plain.statistics.gating == nil && plain.statistics.decode.requestCount == 29 * 16)
  }

  /// Traces of gated runs replay to the engine's own hits.
  @Test(arguments: independent.map(\.text) + ["cache-prior:0.5", "miss-skip:0.3"])
  func tracesOfGatedRunsReplay(_ text: String) async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "a.moetrace").path
    let engine = try await tiny.engine { ($0.chunkTokenCount, $0.expertPool) = (8, .fraction(0.4)) }
    var options = try options(40, text)
    options.routingTrace = RoutingTraceOptions(path: path)
    let generation = engine.generate(tokens: prompt, options)
    _ = try await generation.collect()
    let statistics = try #require(generation.statistics)
    let trace = try RoutingTrace(contentsOf: path)
    #expect(trace.metadata.others["gating"] == .string(text) && trace.expertsPerToken == 4)
    var replay = PassReplay(
      geometry: CacheGeometry(
        layers: Array(repeating: LayerGeometry(expertCount: 16, sizeClass: 0), count: 4),
        slotCounts: [engine.plan.memory.slotCount]),
      policy: PolicyRegistry.defaultEntry)
    replay.run(trace)
    #expect(statistics.prefill.requestCount == replay.prefill.requestCount)
    #expect(statistics.prefill.hitCount == replay.prefill.hitCount)
    #expect(statistics.decode.requestCount == replay.decode.requestCount)
    #expect(statistics.decode.hitCount == replay.decode.hitCount)
    let taken = trace.tokenCount * 4 * 4
    #expect(trace.hasEmptySlots == (trace.experts.count { $0 >= 0 } < taken))
    #expect(trace.hasEmptySlots || text.hasPrefix("cache-prior"))
  }

  /// Which experts are in memory decides, so the same pool gives the same text, run for run; the
  /// prompt is read as the model is.
  @Test(arguments: ["cache-prior:0.5", "miss-skip:0.3"])
  func cacheAwareRunsRepeatThemselves(_ text: String) async throws {
    var found: [[Int32]] = []
    for store in [Store.pread, .pread, .automatic] {
      let engine = try await tiny.engine {
        ($0.expertPool, $0.store) = (.fraction(0.4), store)
      }
      let (ids, statistics) = try await generate(engine, text)
      found.append(ids)
      #expect(statistics.gating?.prefillExpertsPerToken == 4)
      let plainEngine = try await tiny.engine { $0.expertPool = .fraction(0.4) }
      let plain = try await generate(plainEngine, "off")
      #expect(statistics.prefill.requestCount == plain.statistics.prefill.requestCount)
      let missCount = statistics.decode.requestCount - statistics.decode.hitCount
      let plainMissCount =
        plain.statistics.decode.requestCount - plain.statistics.decode.hitCount
      #expect(missCount < plainMissCount, "\(missCount) of \(plainMissCount)")
    }
    #expect(found[0] == found[1] && found[1] == found[2])
    let resident = try await tiny.engine { ($0.placement, $0.expertPool) = (.resident, nil) }
    let plain = try await generate(resident, "off").ids
    #expect(try await generate(resident, text).ids == plain, "nothing is missing")
  }

  @Test func perplexityIsTakenUnderAGating() async throws {
    let engine = try await tiny.engine { $0.logitRowCount = 4 }
    func result(_ gating: String, oneByOne: Bool = false) async throws -> PerplexityResult {
      var options = PerplexityOptions()
      (options.windowTokenCount, options.readsOneByOne) = (16, oneByOne)
      options.gating = try GatingSpecification(parsing: gating)
      return try await engine.perplexity(of: prompt, options)
    }
    let plain = try await result("off")
    #expect(plain.expertsPerToken == 4 && plain.readTokens == 37 && plain.tokens == 34)
    for (text, mean) in Self.independent {
      let whole = try await result(text)
      let single = try await result(text, oneByOne: true)
      #expect(whole.meanNegativeLogLikelihood == single.meanNegativeLogLikelihood, "\(text)")
      #expect(whole.meanNegativeLogLikelihood != plain.meanNegativeLogLikelihood, "\(text)")
      #expect(whole.expertsPerToken == single.expertsPerToken && whole.expertsPerToken < 4)
      if let mean { #expect(whole.expertsPerToken == mean) }
      let requests = Double(single.traffic.requestCount)
      #expect(abs(single.expertsPerToken * 37 * 4 - requests) < 1e-6, "read token by token")
      #expect(whole.traffic.requestCount < single.traffic.requestCount, "read together")
    }
    // What asks for residents reads token by token by itself.
    let aware = try await result("miss-skip:0.3")
    #expect(abs(aware.expertsPerToken * 37 * 4 - Double(aware.traffic.requestCount)) < 1e-6)
    #expect(aware.expertsPerToken < 4)
    #expect(try await result("off").meanNegativeLogLikelihood == plain.meanNegativeLogLikelihood)
  }

  @Test(arguments: ["top-k:5", "schedule:1,1,1,3", "prototypes:3", "cache-prior:1,9"])
  func gatingsOfOtherModelsAreRefused(_ text: String) async throws {
    let engine = try await tiny.engine()
    let gating = try GatingSpecification(parsing: text)
    func refused(_ body: () async throws -> Void) async {
      do {
        try await body()
        Issue.record("'\(text)' was taken")
      } catch EngineError.gating(let sentence) {
        #expect(sentence.contains(text) && !sentence.contains("\n"))
      } catch {
        Issue.record("\(error)")
      }
    }
    await refused { try await engine.check(gating) }
    await refused { _ = try await generate(engine, text) }
    await refused {
      var options = PerplexityOptions()
      (options.gating, options.windowTokenCount) = (gating, 16)
      _ = try await engine.perplexity(of: prompt, options)
    }
    #expect(try await generate(engine, "off").ids.count == 30)
  }

  @Test func textsThatAreNoGatingAreRefused() throws {
    #expect(throws: EngineError.self) { _ = try GatingSpecification(parsing: "top-k:0") }
    #expect(try GatingSpecification(parsing: "off").isOff)
    #expect(Engine.gatings.count == GatingRegistry.all.count + 1)
  }
}
