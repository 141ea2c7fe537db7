import Foundation
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Ways to end a generation early, and the engine afterwards.
@Suite struct CancellationTests {
  private let prompt: [Int32] = [10, 200, 33]
  /// More than any of these tests waits for.
  private let many = 30_000

  private func makeEngine() async throws -> (Engine, expected: [GeneratedToken]) {
    let engine = try await TinyModel { $0.contextLength = 32_768 }.engine {
      $0.contextLength = 32_768
      $0.chunkTokenCount = 4
    }
    return (engine, try await engine.generate(tokens: prompt, .greedy(20)).collect())
  }

  @Test func cancellingTheTaskEndsTheGeneration() async throws {
    let (engine, expected) = try await makeEngine()
    let generation = engine.generate(tokens: prompt, .greedy(many))
    let task = Task {
      var tokens: [GeneratedToken] = []
      for try await token in generation {
        tokens.append(token)
        if tokens.count == 5 { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
      }
      return tokens
    }
    let tokens = try await task.value
    #expect(tokens.count >= 5 && tokens.count < many)
    // The engine is free again: this one would wait for the other's thirty thousand tokens.
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
    let statistics = try #require(generation.statistics)
    #expect(statistics.generatedTokenCount >= 5 && statistics.generatedTokenCount < many)
  }

  @Test func cancellingWhileThePromptIsReadEndsTheGeneration() async throws {
    let (engine, expected) = try await makeEngine()
    let done = Recorder<Int>()
    var options = GenerationOptions.greedy(5)
    let (reading, firstChunk) = AsyncStream<Void>.makeStream()
    options.promptProgress = { count, _ in
      done.append(count)
      firstChunk.yield()
      // Keeps the driver from ending the prompt before this task has had its turn.
      usleep(10_000)
    }
    let generation = engine.generate(tokens: Array(repeating: 7, count: many), options)
    let task = Task { try await generation.collect() }
    for await _ in reading { break }
    task.cancel()
    #expect(try await task.value.isEmpty)
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
    #expect(try #require(done.all.last) < many)
    // Progress is told layer by layer, and whole chunks of four are counted.
    #expect(generation.statistics?.promptTokenCount == done.all.last.map { $0 / 4 * 4 })
    #expect(generation.statistics?.generatedTokenCount == 0)
  }

  @Test func lettingGoOfTheSequenceEndsTheGeneration() async throws {
    let (engine, expected) = try await makeEngine()
    let done = Recorder<Int>()
    var options = GenerationOptions.greedy(5)
    options.promptProgress = { count, _ in done.append(count) }
    do {
      var iterator = engine.generate(tokens: prompt, .greedy(many)).makeAsyncIterator()
      _ = try await iterator.next()
    }
    let taken = Recorder<Int>()
    for try await token in engine.generate(tokens: prompt, .greedy(many)) {
      taken.append(Int(token.id))
      if taken.all.count == 3 { break }
    }
    // Not even begun to be iterated.
    _ = engine.generate(tokens: Array(repeating: 7, count: many), options)
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
    #expect(done.all.last ?? 0 < many)
  }

  @Test func stoppingEndsTheSequenceWithoutAnError() async throws {
    let (engine, expected) = try await makeEngine()
    let generation = engine.generate(tokens: prompt, .greedy(many))
    var count = 0
    for try await _ in generation {
      count += 1
      if count == 7 { generation.stop() }
    }
    #expect(count >= 7 && count < many)
    #expect(generation.statistics?.generatedTokenCount == count)
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
  }

  @Test func aGenerationThatWaitsItsTurnCanBeCancelled() async throws {
    let (engine, _) = try await makeEngine()
    let first = engine.generate(tokens: prompt, .greedy(many))
    let second = engine.generate(tokens: prompt, .greedy(many))
    second.stop()
    var count = 0
    for try await _ in first {
      count += 1
      if count == 3 { first.stop() }
    }
    #expect(try await second.collect().isEmpty)
    #expect(second.statistics?.promptTokenCount == 0)
  }

  /// The first one ends when the others have: were they to wait for it, nothing would ever end.
  @Test func whatIsCancelledWhileItWaitsEndsAtOnce() async throws {
    let (engine, expected) = try await makeEngine()
    let first = engine.generate(tokens: prompt, .greedy(many))
    var iterator = first.makeAsyncIterator()
    _ = try await iterator.next()
    let second = engine.generate(tokens: prompt, .greedy(many))
    second.stop()
    #expect(try await second.collect().isEmpty)
    #expect(second.statistics?.generatedTokenCount == 0)
    let task = Task { try await engine.perplexity(of: Array(repeating: 3, count: 4000)) }
    task.cancel()
    let error = await #expect(throws: EngineError.self) { _ = try await task.value }
    #expect(error?.isCancellation == true)
    #expect(first.statistics == nil)
    first.stop()
    while try await iterator.next() != nil {}
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
  }

  @Test func aGenerationKeepsItsEngine() async throws {
    let model = try TinyModel()
    let expected = try await model.engine().generate(tokens: prompt, .greedy(50)).collect()
    let generation: Generation
    do {
      let engine = try await model.engine()
      generation = engine.generate(tokens: prompt, .greedy(50))
    }
    #expect(try await generation.collect() == expected)
  }

  @Test func perplexityIsCancelledWithItsTask() async throws {
    let (engine, expected) = try await makeEngine()
    let (progress, firstWindow) = AsyncStream<Int>.makeStream()
    var options = PerplexityOptions()
    options.windowTokenCount = 16
    // The run waits for its cancellation, however busy the machine is.
    let isCancelled = DispatchSemaphore(value: 0)
    options.progress = { done, _ in
      firstWindow.yield(done)
      isCancelled.wait()
      isCancelled.signal()
    }
    let task = Task { [options] in
      try await engine.perplexity(of: Array(repeating: 3, count: 1_000_000), options)
    }
    for await _ in progress { break }
    task.cancel()
    isCancelled.signal()
    let error = await #expect(throws: EngineError.self) { _ = try await task.value }
    #expect(error?.isCancellation == true)
    #expect(try await engine.generate(tokens: prompt, .greedy(20)).collect() == expected)
  }
}

extension EngineError {
  fileprivate var isCancellation: Bool {
    if case .cancelled = self { true } else { false }
  }
}
