import MoECore
import MoEPlatform
package import MoERuntime

/// The work on a batch's requests.
extension Batch {
  /// What the run is told by its requests.
  private enum Event: Sendable {
    case didReadPrompt(Int)
    case ended(Int, Result<JSON, APIError>, TokenCounts)
    case tick
    case stop
  }

  /// A request in progress.
  private struct Running {
    let line: BatchLine
    let textCount: Int
  }

  /// What all requests of a run share.
  private struct Workplace {
    let core: ServerCore
    let model: ServedModel
    let event: AsyncStream<Event>.Continuation
    let stop: CancellationFlag
    let report: @Sendable (BatchProgress) -> Void
  }

  private static let tickInterval = Duration.milliseconds(500)

  /// Answers what is not answered. Ends early where the task is cancelled: with `CancellationError`
  /// then, and with what is in progress left for the next run.
  ///
  /// - Parameters:
  ///   - engine: One that keeps `keptStateCount` states, and has no bound on its queue.
  ///   - parallelCount: Texts that it runs at a time.
  ///   - report: Called now and then, and at the end.
  /// - Throws: `BatchError` where files, the model or the machine are at fault.
  package func run(
    on engine: Engine, parallelCount: Int,
    report: @escaping @Sendable (BatchProgress) -> Void = { _ in }
  ) async throws -> BatchProgress {
    precondition(output != nil, "nothing is to be written")
    var serving = ServerOptions()
    serving.sampling = options.sampling
    serving.modelName = options.modelName
    serving.bodyByteCountMax = Self.lineByteCountMax
    let core = ServerCore(serving, hooks: hooks, logger: logger)
    let model = try ServedModel(engine, options: serving, hooks: hooks)
    core.becomeReady(model)
    let (events, event) = AsyncStream<Event>.makeStream()
    let place = Workplace(
      core: core, model: model, event: event, stop: CancellationFlag(), report: report)
    // Whoever is cancelled reads no stream, and what ends is to be written all the same.
    let work = Task { try await self.work(place, events, parallelCount: parallelCount) }
    let ticker = Task {
      while true {
        try await Task.sleep(for: Self.tickInterval)
        event.yield(.tick)
      }
    }
    defer { ticker.cancel() }
    return try await withTaskCancellationHandler {
      try await work.value
    } onCancel: {
      place.stop.cancel()
      event.yield(.stop)
    }
  }

  private func work(
    _ place: Workplace, _ events: AsyncStream<Event>, parallelCount: Int
  ) async throws -> BatchProgress {
    let start = MonotonicClock.nanoseconds()
    var failure: BatchError?
    do throws(BatchError) {
      try plan(place)
      try await answer(place, events, parallelCount: parallelCount, since: start)
    } catch {
      failure = error
    }
    place.core.forgetModel()
    if let failure {
      // What is there stays, whatever else is wrong.
      try? finish()
      throw failure
    }
    try finish()
    // Who came too late to stop anything has all of it.
    if place.stop.isCancelled, index.waitingCount > 0 { throw CancellationError() }
    place.report(progress)
    return progress
  }

  // MARK: Planning

  /// Reads all requests, to know how long they are and what they have in common. Those that are
  /// refused are done with that.
  private func plan(_ place: Workplace) throws(BatchError) {
    for number in index.entries.indices where index.entries[number].isWaiting {
      if place.stop.isCancelled { return }
      let line = try line(number)
      do {
        let answer = try request(line, RequestScope(), place).answer
        let promptCounts = answer.prompts.map(\.count)
        let written = promptCounts.reduce(0) { count, prompt in
          let room = max(0, place.model.contextLength - prompt)
          return count + answer.choiceCount * min(answer.options.tokenCountMax ?? room, room)
        }
        planner.append(
          BatchPlanner.Item(
            tag: number, promptTokenCount: promptCounts.reduce(0, +), answerTokenCount: written,
            sketch: PrefixSketch(answer.prompts[0])))
      } catch {
        try refuse(number, line, error)
      }
    }
    planner.arrange()
  }

  /// A line that was read before.
  private func line(_ number: Int) throws(BatchError) -> BatchLine {
    let entry = index.entries[number]
    let (bytes, now) = try BatchError.filing { () throws(FileError) in
      (
        try input.bytes(at: entry.offset, count: Int(entry.byteCount)), try input.identityNow()
      )
    }
    if let change = input.identity.change(to: now) { throw .changed(path: input.path, change) }
    let memory = BodyMemory(bodies)
    defer { memory.release() }
    do {
      return try BatchLine(
        FileLine(
          number: Int(entry.line), offset: entry.offset, byteCount: bytes.count, content: bytes,
          isEnded: true), byteCountMax: Self.lineByteCountMax, router: router, memory: memory)
    } catch {
      throw .changed(path: input.path, .modified)
    }
  }

  private func request(
    _ line: BatchLine, _ scope: RequestScope, _ place: Workplace
  ) throws(APIError) -> TextRequest {
    guard let read = line.endpoint.read else {
      throw .notFound("\(line.endpoint.path) writes no texts")
    }
    do {
      let request = try read(exchange(line, scope, place), place.model)
      guard !request.isStreamed else {
        throw APIError.unsupported("stream", "stream is not offered: a batch has whole answers")
      }
      return request
    } catch {
      throw APIError(error)
    }
  }

  private func exchange(_ line: BatchLine, _ scope: RequestScope, _ place: Workplace) -> Exchange {
    Exchange(
      core: place.core, scope: scope, parameter: "", body: .value(line.body),
      memory: BodyMemory(bodies))
  }

  // MARK: Answering

  private func answer(
    _ place: Workplace, _ events: AsyncStream<Event>, parallelCount: Int, since start: UInt64
  ) async throws(BatchError) {
    // Some wait in the engine's queue, so that a text begins in the step after another has ended.
    let textCountMax = parallelCount + max(1, parallelCount / 8)
    var running: [Int: Running] = [:]
    var failure: BatchError?
    try begin(&running, textCountMax, place)
    var iterator = events.makeAsyncIterator()
    while !running.isEmpty, let event = await iterator.next(isolation: self) {
      do throws(BatchError) {
        try take(event, &running, place)
        if failure == nil { try begin(&running, textCountMax, place) }
      } catch {
        failure = failure ?? error
        place.core.active.cancelAll(.draining)
      }
      progress.seconds = Double(MonotonicClock.nanoseconds() - start) * 1e-9
      place.report(progressWithRunning(place))
    }
    if let failure { throw failure }
  }

  private func progressWithRunning(_ place: Workplace) -> BatchProgress {
    var now = progress
    now.generatedTokenCount += place.model.running.all.reduce(0) { $0 + $1.generatedTokenCount }
    return now
  }

  private func take(
    _ event: Event, _ running: inout [Int: Running], _ place: Workplace
  ) throws(BatchError) {
    switch event {
    case .tick: break
    case .stop: place.core.active.cancelAll(.draining)
    case .didReadPrompt(let number): planner.didReadPrompt(number)
    case .ended(let number, let result, let tokens):
      planner.didEnd(number)
      guard let ended = running.removeValue(forKey: number) else { return }
      progress.promptTokenCount += tokens.prompt
      progress.cachedTokenCount += tokens.cached
      progress.generatedTokenCount += tokens.generated
      let entry = Int(planner.item(number).tag)
      switch result {
      case .success(let body): try finish(entry, ended.line, status: 200, body)
      // What was stopped is begun anew by the next run.
      case .failure where place.stop.isCancelled: break
      case .failure(let error): try refuse(entry, ended.line, error)
      }
    }
  }

  private func begin(
    _ running: inout [Int: Running], _ textCountMax: Int, _ place: Workplace
  ) throws(BatchError) {
    while running.values.reduce(0, { $0 + $1.textCount }) < textCountMax,
      !place.stop.isCancelled, let number = planner.next()
    {
      let entry = Int(planner.item(number).tag)
      let line = try line(entry)
      let scope = RequestScope()
      do {
        let request = try request(line, scope, place)
        start(number, request, exchange(line, scope, place), place)
        running[number] = Running(line: line, textCount: request.answer.textCount)
      } catch {
        planner.didEnd(number)
        try refuse(entry, line, error)
      }
    }
  }

  private nonisolated func start(
    _ number: Int, _ request: TextRequest, _ exchange: Exchange, _ place: Workplace
  ) {
    let (event, scope) = (place.event, exchange.scope)
    place.core.active.insert(scope)
    var answer = request.answer
    answer.options.promptProgress = { done, total in
      if done >= total { event.yield(.didReadPrompt(number)) }
    }
    let events = AnswerWriter(exchange, model: place.model).write(answer)
    let active = place.core.active
    Task {
      let result: Result<JSON, APIError>
      do {
        result = .success(try await request.json(events, scope: scope))
      } catch {
        result = .failure(APIError(error))
      }
      active.remove(scope)
      event.yield(.ended(number, result, scope.tokens))
    }
  }

  // MARK: Writing

  /// A request has got an error. Throws where that is not its own fault.
  private func refuse(_ entry: Int, _ line: BatchLine, _ error: APIError) throws(BatchError) {
    guard error.status < 500 else { throw .engine(error.message) }
    progress.errorCount += 1
    try finish(entry, line, status: error.status, line.endpoint.errorForm.json(error))
  }

  private func finish(
    _ entry: Int, _ line: BatchLine, status: Int, _ body: JSON
  ) throws(BatchError) {
    let json = BatchOutputLine.answer(
      line.customID, ofLine: Int(index.entries[entry].line), status: status, body)
    let place = try BatchError.filing { () throws(FileError) in try output?.append(json) }
    if let place { index.finish(entry, at: place) }
    progress.doneCount += 1
  }
}
