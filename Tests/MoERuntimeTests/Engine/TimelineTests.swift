import Foundation
import MoERuntime
import MoESynthetic
import MoETestSupport
import Synchronization
import Testing

/// What a generation's timeline says, held against what the generation did.
@Suite struct TimelineTests {
  private let prompt: [Int32] = [10, 200, 33, 4, 77, 8, 9]

  private func engine(
    events: Int = 100_000, _ change: (inout EngineOptions) -> Void = { _ in }
  ) async throws -> Engine {
    try await TinyModel().engine {
      $0.timelineEventCount = events
      $0.chunkTokenCount = 4
      change(&$0)
    }
  }

  @Test func showsStepsLayersOperationsAndReads() async throws {
    let engine = try await engine()
    let generation = engine.generate(tokens: prompt, .greedy(6))
    _ = try await generation.collect()
    let statistics = try #require(generation.statistics)
    let trace = try await TraceEvents(of: engine)
    trace.checkTracks()
    #expect(trace.droppedCount == 0)
    let (chunks, tokens) = (trace.named("prefill chunk"), trace.named("token"))
    #expect(chunks.map { $0.arguments["tokens"] as? Int } == [4, 3])
    #expect(tokens.map { $0.arguments["position"] as? Int } == [7, 8, 9, 10, 11])
    #expect(trace.counterCount == 2 * 7)
    let layers = engine.plan.layerCount
    #expect(trace.named("layer").count == 7 * layers)
    #expect(trace.named("attention").filter { $0.thread == 1 }.count == 7 * layers)
    #expect(trace.named("sample").count == 6)
    for (steps, traffic) in [(chunks, statistics.prefill), (tokens, statistics.decode)] {
      func sum(_ key: String) -> Int { steps.reduce(0) { $0 + ($1.arguments[key] as? Int ?? 0) } }
      #expect(sum("hits") == traffic.hitCount)
      #expect(sum("hits") + sum("misses") == traffic.requestCount)
      #expect(sum("read_bytes") == traffic.readByteCount)
    }
    let reads = trace.named("read expert")
    #expect(
      reads.count == statistics.prefill.requestCount - statistics.prefill.hitCount
        + statistics.decode.requestCount - statistics.decode.hitCount)
    #expect(reads.allSatisfy { $0.arguments["kind"] as? String == "demand" })
    #expect(reads.allSatisfy { ($0.arguments["bytes"] as? Int ?? 0) > 0 })
    #expect(reads.allSatisfy { (0..<layers).contains($0.arguments["layer"] as? Int ?? -1) })
  }

  /// What the driver did, taken together, is no more than the time there was, and each step's part
  /// of it lies in the step.
  @Test func aStepsTimeIsComputeWaitAndLittleElse() async throws {
    let engine = try await engine { $0.threadCount = 3 }
    _ = try await engine.generate(tokens: prompt, .greedy(20)).collect()
    let trace = try await TraceEvents(of: engine)
    trace.checkTracks()
    let leaves = trace.slices.filter {
      $0.thread == 1 && $0.process == 1 && ["compute", "wait"].contains($0.category)
    }
    for (first, second) in zip(leaves, leaves.dropFirst()) {
      #expect(first.end <= second.start, "\(first.name) overlaps \(second.name)")
    }
    for step in trace.slices where step.category == "step" {
      let inside = leaves.filter { $0.start >= step.start && $0.end <= step.end }
      #expect(inside.reduce(0) { $0 + $1.end - $1.start } <= step.end - step.start)
      #expect(inside.contains { $0.name == "experts down" })
    }
    let summary = try await engine.writeTimeline { _ in }
    #expect(summary.computeSeconds > 0)
    #expect(summary.computeSeconds + summary.diskWaitSeconds <= summary.seconds)
    #expect(summary.unevenSeconds <= summary.computeSeconds)
    #expect(summary.eventCount == trace.slices.count)
  }

  /// Small operations stay on the driver; a matrix large enough is shared by all.
  @Test func showsEachWorkersShareWithinItsOperation() async throws {
    let model = try TinyModel { ($0.hiddenSize, $0.vocabularySize) = (256, 4096) }
    let engine = try await model.engine {
      $0.threadCount = 3
      $0.timelineEventCount = 10_000
    }
    _ = try await engine.generate(tokens: prompt, .greedy(3)).collect()
    let trace = try await TraceEvents(of: engine)
    trace.checkTracks()
    let outputs = trace.named("output logits")
    let operations = outputs.filter { $0.thread == 1 }
    #expect(operations.count == 3)
    #expect(outputs.count == 3 * (1 + 3))
    for operation in operations {
      let shares = outputs.filter {
        $0.thread > 1 && $0.start >= operation.start && $0.end <= operation.end
      }
      #expect(Set(shares.map(\.thread)) == [2, 3, 4])
    }
  }

  @Test func changesNoBitAndIsOffByDefault() async throws {
    let model = try TinyModel()
    let plain = try await model.engine()
    let expected = try await plain.generate(tokens: prompt, .greedy(20)).collect()
    await #expect(throws: EngineError.self) { _ = try await plain.writeTimeline { _ in } }
    #expect(!plain.plan.memory.rows.contains { $0.name == "timeline" })
    let recording = try await model.engine { $0.timelineEventCount = 50 }
    #expect(try await recording.generate(tokens: prompt, .greedy(20)).collect() == expected)
    let row = try #require(recording.plan.memory.rows.first { $0.name == "timeline" })
    #expect(row.byteCount == 4096 && row.basis == .user)
    let trace = try await TraceEvents(of: recording)
    trace.checkTracks()
    #expect(trace.slices.count == 50 && trace.droppedCount > 0)
  }

  @Test func anEngineWithoutAGenerationHasAnEmptyTimeline() async throws {
    let engine = try await engine()
    let trace = try await TraceEvents(of: engine)
    #expect(trace.slices.isEmpty)
    #expect(try await engine.writeTimeline { _ in } == TimelineSummary())
  }

  @Test func aStoppedGenerationHasItsTimeline() async throws {
    let engine = try await engine()
    let generation = engine.generate(tokens: prompt, .greedy(100))
    var count = 0
    for try await _ in generation {
      count += 1
      if count == 5 { generation.stop() }
    }
    let trace = try await TraceEvents(of: engine)
    trace.checkTracks()
    #expect(trace.named("token").count >= 4)
    // The next one begins anew.
    _ = try await engine.generate(tokens: prompt, .greedy(2)).collect()
    #expect(try await TraceEvents(of: engine).named("token").count == 1)
  }

  @Test func whatTheReceiverThrowsIsThrownOn() async throws {
    struct Full: Error {}
    let engine = try await engine()
    _ = try await engine.generate(tokens: prompt, .greedy(2)).collect()
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.writeTimeline { _ in throw Full() }
    }
    guard case .output(is Full) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
