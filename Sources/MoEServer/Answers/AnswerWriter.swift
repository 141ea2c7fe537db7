import Logging
import MoECore
import MoERuntime
import Synchronization

/// Has a model write answers, and tells what happens.
struct AnswerWriter: Sendable {
  let model: ServedModel
  let metrics: ServerMetrics
  let scope: RequestScope
  private let logger: Logger

  init(_ exchange: Exchange, model: ServedModel) {
    self.model = model
    logger = exchange.core.logger
    metrics = exchange.core.metrics
    scope = exchange.scope
  }

  /// Begins to write all choices of a request. The stream ends when they have ended, or throws an
  /// `APIError`; they end soon when it is let go of, or its request cancelled.
  func write(_ request: AnswerRequest) -> AsyncThrowingStream<AnswerEvent, any Error> {
    let start = MonotonicClock.nanoseconds()
    let (events, event) = AsyncThrowingStream<AnswerEvent, any Error>.makeStream()
    let works = (0..<request.textCount).map { choice in
      let (prompt, number) = request.place(of: choice)
      var options = request.options
      options.sampling.seed = request.seed &+ UInt64(number)
      if request.reportsProgress, choice == 0 {
        let report = PromptReport(event)
        options.promptProgress = { done, total in report.report(done, of: total) }
      }
      return model.source.begin(prompt, options)
    }
    let stop: @Sendable () -> Void = { for work in works { work.stop() } }
    event.onTermination = { _ in stop() }
    let registration = scope.onCancel(stop)
    scope.count { $0.prompt = request.prompts.reduce(0) { $0 + $1.count } }
    let ticker = request.tickInterval.map { Ticker(event, each: $0) }
    Task {
      do {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for (choice, work) in works.enumerated() {
            group.addTask {
              let pump = AnswerPump(
                writer: self, request: request, choice: choice, start: start, event: event,
                ticker: ticker)
              try await pump.run(work)
            }
          }
          while try await group.next() != nil {}
        }
        event.finish()
      } catch {
        let error = APIError(error)
        if error.code == APIError.engineCode { logger.error("\(error.message)") }
        event.finish(throwing: error)
      }
      stop()
      ticker?.end()
      scope.forget(registration)
    }
    return events
  }
}

/// Tells now and then that the prompt is still read.
private final class Ticker: Sendable {
  private let isAtWork = Mutex(true)

  init(
    _ event: AsyncThrowingStream<AnswerEvent, any Error>.Continuation, each interval: Duration
  ) {
    Task {
      while true {
        try await Task.sleep(for: interval)
        // None comes after the end, not even one that was on its way.
        let isAtWork = self.isAtWork.withLock { isAtWork in
          if isAtWork { event.yield(.tick) }
          return isAtWork
        }
        if !isAtWork { return }
      }
    }
  }

  func end() { isAtWork.withLock { $0 = false } }
}

/// Hands on one choice's text.
private struct AnswerPump: Sendable {
  let writer: AnswerWriter
  let request: AnswerRequest
  let choice: Int
  let start: UInt64
  let event: AsyncThrowingStream<AnswerEvent, any Error>.Continuation
  let ticker: Ticker?

  func run(_ work: any TextWork) async throws {
    let running = writer.model.running
    let (prompt, numberOfPrompt) = request.place(of: choice)
    let number = running.begin(promptTokenCount: prompt.count)
    defer { running.end(number) }
    var reader = AnswerReader(request, tokenizer: writer.model.tokenizer)
    var last = start
    var isFirst = true
    let statistics = try await work.run { piece in
      if reader.isDone { return }
      let now = MonotonicClock.nanoseconds()
      let seconds = Double(now - last) * 1e-9
      if isFirst {
        ticker?.end()
        writer.metrics.didWriteFirstToken(after: seconds)
      } else {
        writer.metrics.didWriteToken(after: seconds)
      }
      (last, isFirst) = (now, false)
      running.didWriteToken(number)
      event.yield(.piece(choice: choice, try reader.read(piece)))
      if reader.isDone { work.stop() }
    }
    count(statistics, promptTokenCount: prompt.count)
    if statistics.finish == .cancelled, !reader.isDone {
      throw writer.scope.end ?? .clientLeft
    }
    let rest = try reader.finish(reader.isDone ? .cancelled : statistics.finish)
    if !rest.output.isEmpty { event.yield(.piece(choice: choice, rest)) }
    event.yield(
      .end(
        choice: choice,
        AnswerEnd(
          finish: reader.isDone ? .end : statistics.finish, hasToolCalls: reader.hasToolCalls,
          statistics: statistics,
          promptTokenCount: numberOfPrompt == 0 ? prompt.count : nil)))
  }

  private func count(_ statistics: GenerationStatistics, promptTokenCount: Int) {
    let tokens = TokenCounts(
      prompt: promptTokenCount, cached: statistics.heldTokenCount,
      generated: statistics.generatedTokenCount)
    writer.metrics.countTokens(tokens)
    writer.scope.count { counts in
      counts.cached = max(counts.cached, tokens.cached)
      counts.generated += tokens.generated
    }
  }
}

/// Tells now and then how far a prompt has been read.
private final class PromptReport: Sendable {
  private struct State {
    var cachedCount: Int?
    var processedCount = -1
    var time: UInt64 = 0
  }

  private let event: AsyncThrowingStream<AnswerEvent, any Error>.Continuation
  private let start = MonotonicClock.nanoseconds()
  private let state = Mutex(State())

  /// Between two reports; an engine tells more often.
  private static let nanosecondsMin: UInt64 = 100_000_000

  init(_ event: AsyncThrowingStream<AnswerEvent, any Error>.Continuation) { self.event = event }

  func report(_ done: Int, of total: Int) {
    let now = MonotonicClock.nanoseconds()
    let progress = state.withLock { state -> PromptProgress? in
      let cached = state.cachedCount ?? done
      state.cachedCount = cached
      let isDue = now - state.time >= Self.nanosecondsMin || done == total
      guard isDue, done > state.processedCount else { return nil }
      (state.processedCount, state.time) = (done, now)
      return PromptProgress(
        totalCount: total, cachedCount: cached, processedCount: done,
        milliseconds: Double(now - start) * 1e-6)
    }
    if let progress { event.yield(.progress(progress)) }
  }
}
