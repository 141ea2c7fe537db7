import MoECache
import MoECore
package import MoEModel
import MoEStore
public import MoETokenizer
private import Synchronization

/// A Mixture-of-Experts model, ready to generate text within the memory it was given.
///
/// Loading reads the dense weights; routed experts are read as tokens need them. As many requests
/// run at the same time as `EngineOptions.parallelRequestCount` says; others wait their turn.
/// Several engines may live in one process; each has its own budget.
public final class Engine: Sendable {
  /// What was decided at load: memory, store, kernels.
  public let plan: RunPlan
  public let tokenizer: Tokenizer
  public let model: ModelInformation
  /// The model's chat templates by their names; the usual one is `default`.
  package let chatTemplates: [String: String]
  let grammars: GrammarShelf
  private let driver: DriverThread
  private let box: CoreBox
  /// Requests that may run at a time, and that may wait besides.
  private let (parallelRequestCount, queueLength): (Int, Int?)

  /// Holds the core for the driver thread.
  private final class CoreBox: @unchecked Sendable {
    // Sendable because only closures on the driver thread touch the core.
    var core: EngineCore?
    let runningCount = Atomic(0)

    /// Whether nothing is in progress.
    var isIdle: Bool { core?.isIdle ?? true }
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
    let box = CoreBox()
    let driver = try DriverThread { box.core?.step() ?? false }
    let loaded: Result<(RunPlan, LoadedHeader), EngineError> = await withCheckedContinuation {
      continuation in
      driver.enqueue(when: nil) {
        continuation.resume(
          returning: Result { () throws(EngineError) in
            let prepared = try PreparedRun(path: path, options: options)
            let core = try EngineCore(prepared, progress: progress)
            box.core = core
            return (prepared.runPlan(storeReport: core.reader.report), prepared.header)
          })
      }
    }
    let vocabularySize: Int
    do {
      let header: LoadedHeader
      (plan, header) = try loaded.get()
      vocabularySize = header.description.vocabularySize
      (tokenizer, chatTemplates) = (header.tokenizer, header.chatTemplates)
      model = ModelInformation(header, plan)
    } catch {
      driver.stop()
      throw error
    }
    self.driver = driver
    self.box = box
    grammars = GrammarShelf(
      tokenizer, vocabularySize: vocabularySize, isPlanned: options.holdsGrammars)
    (parallelRequestCount, queueLength) = (options.parallelRequestCount, options.queueLength)
    if options.warmStart { Self.warmUp(box, on: driver) }
  }

  /// Reads what the last run used most, an expert at a time, while nothing else is to be done: a
  /// request waits for one of them at most.
  private static func warmUp(_ box: CoreBox, on driver: DriverThread) {
    driver.enqueue(when: { box.isIdle }) {
      if box.core?.continueWarmUp() ?? false { warmUp(box, on: driver) }
    }
  }

  deinit {
    let box = box
    driver.enqueue(when: { box.isIdle }) { box.core = nil }
    driver.stop()
  }

  /// Frees the model's memory and returns when that is done; requests that come later end with
  /// `EngineError.unloaded`. An engine that is just let go of frees it some time after, which is
  /// too late where the next engine needs the same memory.
  public func unload() async {
    await withCheckedContinuation { continuation in
      driver.enqueue(when: { [box] in box.isIdle }) { [box] in
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

  /// Generates text from a prompt, as an asynchronous sequence of tokens.
  ///
  /// Starts at once, or when the engine is free. Ends early when the task that iterates is
  /// cancelled or drops the sequence. Throws `EngineError`.
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

  /// A text that goes on from request to request.
  public func session() -> Session { Session(self) }

  /// Goes on with the text of a session.
  func generate(
    _ text: [PromptSegment], _ options: GenerationOptions, in session: SessionID
  ) -> Generation {
    start(options, in: session) { core throws(EngineError) in
      try core.tokens(of: text, options: options)
    }
  }

  /// Forgets what is held of a session.
  func close(_ session: SessionID) {
    driver.enqueue(when: nil) { [box] in
      guard let core = box.core else { return }
      core.states.close(session, on: core.decoder)
    }
  }

  private func start(
    _ options: GenerationOptions, in session: SessionID? = nil,
    prompt: @escaping @Sendable (EngineCore) throws(EngineError) -> [Int32]
  ) -> Generation {
    let outcome = GenerationOutcome()
    let request = CancellationFlag()
    let cancel: @Sendable () -> Void = { [driver] in driver.cancel(request) }
    let waitingMax = queueLength.map { length in
      length + max(0, parallelRequestCount - box.runningCount.load(ordering: .relaxed))
    }
    let stream = AsyncThrowingStream<GeneratedToken, any Error> { continuation in
      continuation.onTermination = { _ in cancel() }
      let isTaken = driver.enqueue(
        for: request, when: { [box] in box.core?.hasPlace(for: options) ?? true },
        waitingMax: waitingMax ?? .max
      ) { [box] in
        do {
          guard let core = box.core else { throw EngineError.unloaded }
          box.runningCount.add(1, ordering: .relaxed)
          let work = GenerationRequest(
            options: options, session: session, cancellation: request,
            emit: { token in
              continuation.yield(token)
              return !request.isCancelled
            },
            end: { result in
              box.runningCount.subtract(1, ordering: .relaxed)
              if case .success(let statistics) = result { outcome.set(statistics) }
              continuation.finish(throwing: result.failure)
            })
          do {
            try core.begin(work, prompt: try prompt(core))
          } catch {
            work.end(.failure(error))
          }
        } catch {
          continuation.finish(throwing: error)
        }
      } onWithdrawal: { [plan] in
        // Nothing was done, and that is no error.
        var statistics = GenerationStatistics()
        statistics.finish = .cancelled
        statistics.peakByteCount = ProcessMemory.peakByteCount()
        statistics.budgetByteCount = plan.memory.budgetByteCount
        outcome.set(statistics)
        continuation.finish()
      }
      if !isTaken {
        continuation.finish(throwing: EngineError.queueFull(length: queueLength ?? 0))
      }
    }
    return Generation(stream: stream, outcome: outcome, cancel: cancel, engine: self)
  }

  /// Requests in progress, and those that wait for their turn.
  public var load: EngineLoad {
    EngineLoad(
      runningCount: box.runningCount.load(ordering: .relaxed), waitingCount: driver.waitingCount)
  }

  /// How well the model predicts a text. Ends with `EngineError.cancelled` when the task is
  /// cancelled.
  public func perplexity(
    of text: String, _ options: PerplexityOptions = PerplexityOptions()
  ) async throws(EngineError) -> PerplexityResult {
    let tokens = tokenizer.encode(
      text, addSpecial: false, parseSpecial: options.parsesSpecialTokens)
    return try await perplexity(of: tokens, options)
  }

  /// How well the model predicts a sequence of tokens. Ends with `EngineError.cancelled` when the
  /// task is cancelled.
  public func perplexity(
    of tokens: [Int32], _ options: PerplexityOptions = PerplexityOptions()
  ) async throws(EngineError) -> PerplexityResult {
    try await request { core, cancellation in
      try core.perplexity(
        of: try core.checked(tokens), options: options, cancellation: cancellation)
    }
  }

  /// Runs a closure with the decoder on the driver thread, for the project's own tests and tools.
  package func withDecoder<Value: Sendable>(
    _ body: @escaping @Sendable (Decoder) throws -> Value
  ) async throws -> Value {
    try await withCore { core in try body(core.decoder) }
  }

  /// Looks at the decoder between two steps, whoever is being computed for; changes nothing.
  package func snapshot<Value: Sendable>(
    _ body: @escaping @Sendable (Decoder) -> Value
  ) async throws(EngineError) -> Value {
    try await request(alone: false) { core, _ in body(core.decoder) }
  }

  /// Runs a closure with the core on the driver thread, after what was asked for before.
  func withCore<Value: Sendable>(
    _ body: @escaping @Sendable (EngineCore) throws -> Value
  ) async throws -> Value {
    try await result(of: CancellationFlag()) { core, _ in try body(core) }.get()
  }

  /// The same for a request that ends when its task is cancelled, at once where it still waits for
  /// its turn.
  ///
  /// - Parameter alone: Whether nothing else may be in progress.
  func request<Value: Sendable>(
    alone: Bool = true,
    _ body: @escaping @Sendable (EngineCore, CancellationFlag) throws -> Value
  ) async throws(EngineError) -> Value {
    let request = CancellationFlag()
    let outcome = await withTaskCancellationHandler {
      await result(of: request, alone: alone, body)
    } onCancel: { [driver] in
      driver.cancel(request)
    }
    switch outcome {
    case .success(let value): return value
    case .failure(let error): throw EngineError(error)
    }
  }

  private func result<Value: Sendable>(
    of request: CancellationFlag, alone: Bool = true,
    _ body: @escaping @Sendable (EngineCore, CancellationFlag) throws -> Value
  ) async -> Result<Value, any Error> {
    let box = box
    let isIdle: @Sendable () -> Bool = { box.isIdle }
    return await withCheckedContinuation { continuation in
      let isTaken = driver.enqueue(for: request, when: alone ? isIdle : nil) {
        continuation.resume(
          returning: Result {
            guard let core = box.core else { throw EngineError.unloaded }
            return try body(core, request)
          })
      } onWithdrawal: {
        continuation.resume(returning: .failure(EngineError.cancelled))
      }
      assert(isTaken, "the queue is bounded for generations alone")
    }
  }
}

/// What an engine has to do.
public struct EngineLoad: Sendable, Codable, Equatable {
  public var runningCount: Int
  public var waitingCount: Int

  public init(runningCount: Int, waitingCount: Int) {
    self.runningCount = runningCount
    self.waitingCount = waitingCount
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
