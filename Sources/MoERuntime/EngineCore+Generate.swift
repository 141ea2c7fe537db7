import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoETokenizer

extension EngineCore {
  /// Generates from a prompt; calls `emit` with each token and stops early where it returns false
  /// or `cancellation` is set. The statistics are of what was done until then.
  ///
  /// - Parameter session: Whose text it is; nil: one that is forgotten.
  func generate(
    _ prompt: [Int32], options: GenerationOptions, session: SessionID? = nil,
    cancellation: CancellationFlag, emit: (GeneratedToken) -> Bool
  ) throws -> GenerationStatistics {
    try options.check()
    guard prompt.count <= decoder.contextLength else {
      throw EngineError.contextExceeded(
        tokenCount: prompt.count, contextLength: decoder.contextLength)
    }
    timeline?.startRecording()
    defer { timeline?.stopRecording() }
    let meter = GenerationMeter(self)
    return try withSequence(of: session, prompt, gating: options.gating) {
      sequence, heldCount, text in
      try recording(options.routingTrace, gating: options.gating) {
        meter.countHeld(heldCount)
        do {
          try generate(
            &text, from: heldCount, in: sequence, options: options, cancellation: cancellation,
            meter: meter, emit: emit)
        } catch is CancellationError {
          // Asked for, so no failure.
          meter.finish(.cancelled)
        }
        rememberHottestExperts()
        return meter.statistics(gating: options.gating)
      }
    }
  }

  /// Does something with the sequence of a session, which keeps what was run then, or with one of
  /// its own. `body` gets how many tokens of the prompt have been run already, and adds to the text
  /// what it makes.
  private func withSequence<Value>(
    of session: SessionID?, _ prompt: [Int32], gating: GatingSpecification,
    _ body: (SequenceState, _ heldCount: Int, _ text: inout [Int32]) throws -> Value
  ) throws -> Value {
    let gating = try makeGating(gating)
    var text = prompt
    let (sequence, heldCount) =
      session.map { sessions.begin($0, prompt, on: decoder) }
      ?? (sessions.makeSequence(on: decoder), 0)
    sequence.gating = gating
    do {
      let value = try body(sequence, heldCount, &text)
      if let session {
        sessions.keep(session, sequence, tokens: text)
      } else {
        decoder.endSequence(sequence)
      }
      return value
    } catch {
      // After a failure nobody knows how far it came.
      decoder.endSequence(sequence)
      throw error
    }
  }

  /// Does something with a new sequence, which ends with it.
  func withOwnSequence<Value>(
    gating: (any Gating)? = nil, _ body: (SequenceState) throws -> Value
  ) rethrows -> Value {
    let sequence = sessions.makeSequence(on: decoder)
    defer { decoder.endSequence(sequence) }
    sequence.gating = gating
    return try body(sequence)
  }

  /// Tokens that a text of `SamplingOptions.dryBreakers` is in.
  private func breakerTokens(_ options: SamplingOptions) -> Set<Int32> {
    guard options.dryMultiplier != 0 else { return [] }
    if breakers.texts != options.dryBreakers {
      let texts = options.dryBreakers.filter { !$0.isEmpty }
      let tokens = (0..<Int32(header.tokenizer.vocabularySize)).filter { token in
        var detokenizer = Detokenizer(
          tokenizer: header.tokenizer, renderSpecial: true, continuesText: true)
        let text = detokenizer.push(token) + detokenizer.finish()
        return texts.contains { text.contains($0) }
      }
      breakers = (options.dryBreakers, Set(tokens))
    }
    return breakers.tokens
  }

  private func generate(
    _ history: inout [Int32], from heldCount: Int, in sequence: SequenceState,
    options: GenerationOptions, cancellation: CancellationFlag, meter: GenerationMeter,
    emit: (GeneratedToken) -> Bool
  ) throws {
    let prompt = history
    let contextCount = max(heldCount, min(options.contextTokenCount, prompt.count))
    if contextCount > heldCount {
      try prefill(
        Array(prompt[heldCount..<contextCount]), of: sequence, cancellation: cancellation,
        progress: { options.promptProgress?(heldCount + $0, prompt.count) }, each: { _, _ in })
      meter.restart()
    }
    try prefill(
      Array(prompt.dropFirst(contextCount)), of: sequence, cancellation: cancellation,
      progress: { options.promptProgress?(contextCount + $0, prompt.count) },
      each: { _, count in meter.countPrompt(count) })
    var logits = decoder.lastLogits()
    meter.finishPrefill()

    var sampler = Sampler(
      options.sampling, vocabularySize: header.description.vocabularySize,
      breakers: breakerTokens(options.sampling))
    var stops = StopMatcher(options.stops)
    var detokenizer = Detokenizer(
      tokenizer: header.tokenizer, renderSpecial: options.rendersSpecialTokens,
      continuesText: true)
    let room = decoder.contextLength - prompt.count + 1
    let limit = min(options.tokenCountMax ?? room, room)
    history.reserveCapacity(prompt.count + limit)
    for step in 0..<limit {
      guard logits[VectorMath.argmax(logits)] > -.infinity else {
        throw try notANumber()
      }
      let token = decoder.timed(.sample) { sampler.sample(logits, history: history) }
      if header.tokenizer.isEnd(token) && !options.ignoresEnd {
        // What an unfinished character leaves must not be lost.
        let (text, stop) = stops.push(detokenizer.finish())
        let rest = stop == nil ? text + stops.finish() : text
        if !rest.isEmpty { _ = emit(GeneratedToken(id: token, text: rest)) }
        meter.finish(.end)
        break
      }
      history.append(token)
      let isLast = step + 1 == limit
      let (found, stop) = stops.push(
        detokenizer.push(token) + (isLast ? detokenizer.finish() : ""))
      let text = isLast && stop == nil ? found + stops.finish() : found
      meter.countToken()
      if let stop { meter.finish(.stop(stop)) }
      if !emit(GeneratedToken(id: token, text: text)) {
        meter.finish(.cancelled)
        break
      }
      if isLast || stop != nil { break }
      logits = try timedStep(.token, position: sequence.position, tokenCount: 1) {
        try forward(
          CollectionOfOne(token), of: sequence, phase: .decode, cancellation: cancellation)
        return decoder.lastLogits()
      }
    }
  }
}

/// Measures one generation.
private final class GenerationMeter {
  private let core: EngineCore
  private var before: ExpertStatistics
  private var routedBefore: RoutedCounts
  private var start = MonotonicClock.nanoseconds()
  private var prefillEnd: UInt64?
  private var firstToken: UInt64 = 0
  private var lastToken: UInt64 = 0
  private var result = GenerationStatistics()

  init(_ core: EngineCore) {
    self.core = core
    before = core.decoder.experts.statistics
    routedBefore = core.decoder.routed
  }

  /// Leaves out what was done until now.
  func restart() {
    before = core.decoder.experts.statistics
    routedBefore = core.decoder.routed
    start = MonotonicClock.nanoseconds()
  }

  func countHeld(_ tokenCount: Int) { result.heldTokenCount = tokenCount }

  func finish(_ reason: FinishReason) { result.finish = reason }

  func countPrompt(_ tokenCount: Int) { result.promptTokenCount += tokenCount }

  func finishPrefill() { prefillEnd = MonotonicClock.nanoseconds() }

  func countToken() {
    lastToken = MonotonicClock.nanoseconds()
    if result.generatedTokenCount == 0 { firstToken = lastToken }
    result.generatedTokenCount += 1
  }

  func statistics(gating: GatingSpecification) -> GenerationStatistics {
    if !gating.isOff {
      let routed = core.decoder.routed - routedBefore
      result.gating = GatingStatistics(
        gating: gating.description, prefillExpertsPerToken: routed.prefill.meanExpertCount,
        decodeExpertsPerToken: routed.decode.meanExpertCount)
    }
    let traffic = core.decoder.experts.statistics - before
    let prefillEnd = prefillEnd ?? MonotonicClock.nanoseconds()
    result.prefillSeconds = Double(prefillEnd - start) * 1e-9
    result.decodeSeconds = Double(lastToken - firstToken) * 1e-9
    result.prefill = ExpertTraffic(traffic.prefill)
    result.decode = ExpertTraffic(traffic.decode)
    result.warmedExpertCount =
      (core.decoder.experts as? OffloadedExperts)?.warmedExpertCount ?? 0
    result.peakByteCount = ProcessMemory.peakByteCount()
    result.budgetByteCount = core.plan.budgetByteCount
    return result
  }
}

extension ExpertTraffic {
  init(_ counts: ExpertStatistics.Counts) {
    requestCount = counts.requestCount
    hitCount = counts.hitCount
    prefetchedCount = counts.prefetchedCount
    prefetchCount = counts.prefetchCount
    prefetchByteCount = counts.prefetchByteCount
    prefetchWastedByteCount = counts.prefetchWastedByteCount
    guessCount = counts.guessCount
    rightGuessCount = counts.rightGuessCount
    readByteCount = counts.readByteCount
    stallSeconds = Double(counts.stallNanoseconds) * 1e-9
  }
}
