import MoECache
import MoECore
package import MoEModel
import MoEStore
public import MoETokenizer
private import Synchronization

/// A Mixture-of-Experts model, ready to generate text within the memory it was given.
///
/// Loading reads the dense weights; routed experts are read as tokens need them. An engine does one
/// thing at a time: requests made while another runs wait their turn. Several engines may live in
/// one process; each has its own budget.
public final class Engine: Sendable {
  /// What was decided at load: memory, store, kernels.
  public let plan: RunPlan
  public let tokenizer: Tokenizer
  private let driver: DriverThread
  private let box: CoreBox

  /// Holds the core for the driver thread.
  private final class CoreBox: @unchecked Sendable {
    // Sendable because only closures on the driver thread touch the core.
    var core: EngineCore?
  }

  /// Loads a model.
  ///
  /// - Parameters:
  ///   - path: A GGUF file, or any shard of one.
  ///   - progress: Called on the engine's thread with the bytes read so far and in all.
  /// - Throws: `EngineError` where the file, an option, the budget or the disk is at fault.
  public init(
    modelAt path: String, options: EngineOptions = EngineOptions(),
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) async throws(EngineError) {
    let driver = try DriverThread()
    let box = CoreBox()
    let loaded: Result<(RunPlan, Tokenizer), EngineError> = await withCheckedContinuation {
      continuation in
      driver.enqueue {
        continuation.resume(
          returning: Result { () throws(EngineError) in
            let prepared = try PreparedRun(path: path, options: options)
            let core = try EngineCore(prepared, progress: progress)
            box.core = core
            return (prepared.runPlan(storeReport: core.reader.report), prepared.header.tokenizer)
          })
      }
    }
    do {
      (plan, tokenizer) = try loaded.get()
    } catch {
      driver.stop()
      throw error
    }
    self.driver = driver
    self.box = box
    if options.warmStart { Self.warmUp(box, on: driver) }
  }

  /// Reads what the last run used most, an expert at a time, while nothing else is to be done: a
  /// request waits for one of them at most.
  private static func warmUp(_ box: CoreBox, on driver: DriverThread) {
    driver.enqueue {
      if box.core?.continueWarmUp() ?? false { warmUp(box, on: driver) }
    }
  }

  deinit {
    let box = box
    driver.enqueue { box.core = nil }
    driver.stop()
  }

  /// Frees the model's memory and returns when that is done; requests that come later end with
  /// `CancellationError`. An engine that is just let go of frees it some time after, which is too
  /// late where the next engine needs the same memory.
  public func unload() async {
    await withCheckedContinuation { continuation in
      driver.enqueue { [box] in
        box.core = nil
        continuation.resume()
      }
    }
  }

  /// What loading would do, from the file's header and without reading weights. A budget that is
  /// too small is no error here: the plan says so (`memory.fits`).
  public static func plan(
    modelAt path: String, options: EngineOptions = EngineOptions()
  ) throws(EngineError) -> RunPlan {
    let prepared = try PreparedRun(path: path, options: options)
    return prepared.runPlan(storeReport: try prepared.makeReader().report)
  }

  /// The names and one-line descriptions of the policies that `EngineOptions.cachePolicy` may name.
  public static var cachePolicies: [(name: String, summary: String)] {
    PolicyRegistry.all.map { ($0.name, $0.summary) }
  }

  /// The names and one-line descriptions of who may guess the experts that are read ahead, which
  /// `EngineOptions.lookAhead` may name.
  public static var lookAheads: [(name: String, summary: String)] {
    LookAheadRegistry.all.map { ($0.name, $0.summary) }
  }

  /// The names and one-line descriptions of the ways to read that `EngineOptions.store` may name.
  public static var stores: [(name: String, summary: String)] {
    [(StoreChoice.automatic, "The best of the others that works here.")]
      + BackendRegistry.all.map { ($0.name, $0.summary) }
  }

  /// Generates text from a prompt, as an asynchronous sequence of tokens.
  ///
  /// Starts at once, or when the engine is free. Ends early when the task that iterates is
  /// cancelled or drops the sequence. Throws `EngineError`, or `CancellationError`.
  public func generate(
    _ prompt: String, _ options: GenerationOptions = GenerationOptions()
  ) -> Generation {
    generate([options.parsesSpecialTokens ? .markup(prompt) : .text(prompt)], options)
  }

  /// Generates from a prompt of segments, by who wrote them: only markup and tokens can steer the
  /// model, whatever `options.parsesSpecialTokens` says.
  public func generate(
    _ prompt: [PromptSegment], _ options: GenerationOptions = GenerationOptions()
  ) -> Generation {
    start(options) { core throws(EngineError) in try core.tokens(of: prompt, options: options) }
  }

  /// Generates from token ids, as they are.
  public func generate(
    tokens: [Int32], _ options: GenerationOptions = GenerationOptions()
  ) -> Generation {
    start(options) { core throws(EngineError) in
      guard !tokens.isEmpty else { throw .emptyPrompt }
      return try core.checked(tokens)
    }
  }

  private func start(
    _ options: GenerationOptions,
    prompt: @escaping @Sendable (EngineCore) throws(EngineError) -> [Int32]
  ) -> Generation {
    let outcome = GenerationOutcome()
    let cancellation = CancellationFlag()
    let stream = AsyncThrowingStream<GeneratedToken, any Error> { continuation in
      continuation.onTermination = { _ in cancellation.cancel() }
      driver.enqueue { [box] in
        do {
          guard let core = box.core else { throw CancellationError() }
          let statistics = try core.generate(
            try prompt(core), options: options, cancellation: cancellation
          ) { token in
            continuation.yield(token)
            return !cancellation.isCancelled
          }
          outcome.set(statistics)
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
    }
    return Generation(
      stream: stream, outcome: outcome, cancellation: cancellation, engine: self)
  }

  /// How well the model predicts a text.
  public func perplexity(
    of text: String, _ options: PerplexityOptions = PerplexityOptions()
  ) async throws -> PerplexityResult {
    let tokens = tokenizer.encode(
      text, addSpecial: false, parseSpecial: options.parsesSpecialTokens)
    return try await perplexity(of: tokens, options)
  }

  /// How well the model predicts a sequence of tokens.
  public func perplexity(
    of tokens: [Int32], _ options: PerplexityOptions = PerplexityOptions()
  ) async throws -> PerplexityResult {
    let cancellation = CancellationFlag()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        driver.enqueue { [box] in
          continuation.resume(
            with: Result {
              guard let core = box.core else { throw CancellationError() }
              return try core.perplexity(
                of: try core.checked(tokens), options: options, cancellation: cancellation)
            })
        }
      }
    } onCancel: {
      cancellation.cancel()
    }
  }

  /// Runs a closure with the decoder on the driver thread, for the project's own tests and tools.
  package func withDecoder<Value: Sendable>(
    _ body: @escaping @Sendable (Decoder) throws -> Value
  ) async throws -> Value {
    try await withCore { core in try body(core.decoder) }
  }

  /// Runs a closure with the core on the driver thread, after what was asked for before.
  func withCore<Value: Sendable>(
    _ body: @escaping @Sendable (EngineCore) throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      driver.enqueue { [box] in
        continuation.resume(
          with: Result {
            guard let core = box.core else { throw CancellationError() }
            return try body(core)
          })
      }
    }
  }
}

/// The tokens of one generation, as they are made.
public struct Generation: AsyncSequence, Sendable {
  public typealias Element = GeneratedToken
  public typealias Failure = any Error

  let stream: AsyncThrowingStream<GeneratedToken, any Error>
  let outcome: GenerationOutcome
  let cancellation: CancellationFlag
  /// An engine in use stays alive.
  let engine: Engine

  public func makeAsyncIterator() -> AsyncThrowingStream<GeneratedToken, any Error>.AsyncIterator {
    stream.makeAsyncIterator()
  }

  /// What the generation did; nil until it has ended without an error.
  public var statistics: GenerationStatistics? { outcome.statistics }

  /// Ends the generation after the layer that is being computed: the sequence then ends without an
  /// error, and `statistics` tells what was done until then. Safe from any thread.
  public func stop() { cancellation.cancel() }
}

/// Where a generation leaves its statistics.
final class GenerationOutcome: Sendable {
  private let state = Mutex<GenerationStatistics?>(nil)

  var statistics: GenerationStatistics? { state.withLock { $0 } }

  func set(_ statistics: GenerationStatistics) { state.withLock { $0 = statistics } }
}
