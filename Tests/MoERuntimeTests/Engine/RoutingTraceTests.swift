import Foundation
import MoEAnalysis
import MoECache
import MoECore
import MoEFormats
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// What an engine records of its own runs.
@Suite struct RoutingTraceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func options(_ tokenCount: Int, _ name: String) -> GenerationOptions {
    var options = GenerationOptions.greedy(tokenCount)
    options.routingTrace = RoutingTraceOptions(path: path(name))
    return options
  }

  private func path(_ name: String) -> String { folder.url.appending(path: name).path }

  private let prompt: [Int32] = (0..<37).map { (index: Int32) in (index * index * 5 + 3) % 512 }

  @Test(arguments: CachePolicy.allCases, [1, 8, 64])
  func countersOfGenerationsAreThoseOfTheirReplay(policy: CachePolicy, chunk: Int) async throws {
    let entry = try #require(PolicyRegistry.entry(named: policy.rawValue))
    let tiny = try TinyModel {
      ($0.layerCount, $0.expertCount, $0.expertsPerToken) = (3, 16, 3)
    }
    for share in [0.2, 0.5] {
      let engine = try await tiny.engine {
        $0.cachePolicy = policy
        $0.chunkTokenCount = chunk
        $0.expertPool = .fraction(share)
      }
      var replay = PassReplay(
        geometry: CacheGeometry(
          layers: Array(repeating: LayerGeometry(expertCount: 16, sizeClass: 0), count: 3),
          slotCounts: [engine.plan.memory.slotCount]),
        policy: entry)
      // The pool lives on from one generation to the next.
      for round in 0..<3 {
        let before = (replay.prefill, replay.decode)
        let generation = engine.generate(
          tokens: Array(prompt.prefix(round == 1 ? 1 : 37)), options(40, "a.moetrace"))
        _ = try await generation.collect()
        let statistics = try #require(generation.statistics)
        replay.run(try RoutingTrace(contentsOf: path("a.moetrace")))
        #expect(
          statistics.prefill.requestCount
            == replay.prefill.requestCount - before.0.requestCount)
        #expect(statistics.prefill.hitCount == replay.prefill.hitCount - before.0.hitCount)
        #expect(
          statistics.decode.requestCount == replay.decode.requestCount - before.1.requestCount)
        #expect(statistics.decode.hitCount == replay.decode.hitCount - before.1.hitCount)
        #expect(statistics.decode.requestCount == 39 * 3 * 3 && statistics.decode.hitCount > 0)
      }
    }
  }

  @Test func recordingChangesNoTokenAndKeepsAll() async throws {
    let engine = try await TinyModel().engine { $0.chunkTokenCount = 16 }
    let plain = try await engine.generate(tokens: prompt, .greedy(30)).collect().map(\.id)
    var options = options(30, "a.moetrace")
    options.routingTrace?.includesLogits = true
    options.routingTrace?.label = "mine"
    let recorded = try await engine.generate(tokens: prompt, options).collect().map(\.id)
    #expect(recorded == plain)
    let trace = try RoutingTrace(contentsOf: path("a.moetrace"))
    // Nothing is computed for the last token.
    #expect(trace.tokenIDs == prompt + plain.dropLast())
    #expect(trace.labels == ["mine"] && trace.sequenceStarts == [0])
    #expect(trace.passStarts == [0, 16, 32] + Array(37..<66))
    #expect(
      trace.phases == Array(repeating: .prefill, count: 37) + Array(repeating: .decode, count: 29))
    #expect(trace.logits?.count == 66 * 2 * 8 && trace.metadata.model == "synthetic-qwen3moe")
    // One run and another leave the same bytes.
    let first = try Data(contentsOf: URL(fileURLWithPath: path("a.moetrace")))
    _ = try await engine.generate(tokens: prompt, options).collect()
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("a.moetrace"))) == first)
    // And none is left where none is wanted.
    _ = try await engine.generate(tokens: prompt, .greedy(3)).collect()
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("a.moetrace"))) == first)
  }

  @Test func aGenerationThatIsStoppedLeavesWhatItDid() async throws {
    let engine = try await TinyModel().engine()
    let whole = try await engine.generate(tokens: prompt, .greedy(60)).collect().map(\.id)
    let generation = engine.generate(tokens: prompt, options(60, "a.moetrace"))
    var count = 0
    for try await _ in generation {
      count += 1
      if count == 5 { generation.stop() }
    }
    let ids = try #require(try RoutingTrace(contentsOf: path("a.moetrace")).tokenIDs)
    #expect(ids.count >= 37 + 4 && ids == Array((prompt + whole).prefix(ids.count)))
  }

  @Test func textsAreCutIntoSequencesOfTheirOwn() async throws {
    let engine = try await TinyModel().engine { $0.chunkTokenCount = 8 }
    let texts = [
      RoutingText(label: "a", tokens: Array(prompt.prefix(25))),
      RoutingText(label: "empty", tokens: []),
      RoutingText(label: "b", tokens: Array(prompt.suffix(10))),
    ]
    let progress = Recorder<[Int]>()
    let recorded = try await engine.recordRouting(
      of: texts, sequenceTokenCount: 10, to: RoutingTraceOptions(path: path("a.moetrace")),
      progress: { progress.append([$0, $1]) })
    #expect(recorded.tokenCount == 35 && recorded.sequenceCount == 4)
    let trace = try RoutingTrace(contentsOf: path("a.moetrace"))
    #expect(trace.sequenceStarts == [0, 10, 20, 25])
    #expect(trace.labels == ["a", "a", "a", "b"])
    #expect(trace.passStarts == [0, 8, 10, 18, 20, 25, 33])
    #expect(trace.tokenIDs == Array(prompt.prefix(25)) + Array(prompt.suffix(10)))
    #expect(trace.phases?.allSatisfy { $0 == .prefill } == true)
    #expect(progress.all.last == [35, 35] && progress.all.count == 7)
    // Each sequence begins anew: alone it routes alike.
    _ = try await engine.recordRouting(
      of: [RoutingText(label: "c", tokens: Array(prompt[10..<20]))],
      sequenceTokenCount: 64, to: RoutingTraceOptions(path: path("b.moetrace")))
    let alone = try RoutingTrace(contentsOf: path("b.moetrace"))
    let row = trace.layerCount * trace.expertsPerToken
    #expect(alone.experts[...] == trace.experts[10 * row..<20 * row])
  }

  @Test func whatCannotBeRecordedIsRefusedAndLeavesNoFile() async throws {
    let engine = try await TinyModel().engine()
    let text = RoutingText(label: "", tokens: prompt)
    await #expect(throws: EngineError.self) {
      _ = try await engine.recordRouting(
        of: [text], sequenceTokenCount: 257, to: RoutingTraceOptions(path: path("a")))
    }
    await #expect(throws: EngineError.self) {
      _ = try await engine.recordRouting(
        of: [], sequenceTokenCount: 64, to: RoutingTraceOptions(path: path("a")))
    }
    await #expect(throws: EngineError.self) {
      _ = try await engine.recordRouting(
        of: [RoutingText(label: "", tokens: [1, 512])], sequenceTokenCount: 64,
        to: RoutingTraceOptions(path: path("a")))
    }
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate(tokens: prompt, options(3, "nowhere/a")).collect()
    }
    #expect(error?.description.contains("nowhere/a") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    // The engine goes on.
    #expect(try await engine.generate(tokens: prompt, .greedy(3)).collect().count == 3)
  }

  /// Files keep routers in F32, whatever format the experts have.
  @Test func quantisationsOfAModelHaveOneHashAndOtherModelsAnother() async throws {
    var hashes: [String?] = []
    var formats: [String] = []
    for (format, seed) in [(.f32, 1), (.q8_0, 1), (.f32, 2)] as [(GGMLType, UInt64)] {
      let tiny = try TinyModel {
        $0.formats = SyntheticModel.Formats(format)
        $0.seed = seed
      }
      _ = try await tiny.engine().generate(tokens: prompt, options(1, "a.moetrace")).collect()
      let metadata = try RoutingTrace(contentsOf: path("a.moetrace")).metadata
      hashes.append(metadata.modelHash)
      formats.append(metadata.quantization)
    }
    #expect(hashes[0] != nil && hashes[0] == hashes[1] && hashes[0] != hashes[2])
    #expect(formats == ["F32", "Q8_0", "F32"])
  }
}
