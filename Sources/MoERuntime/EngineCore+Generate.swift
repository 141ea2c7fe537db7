import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoETokenizer

extension EngineCore {
  /// Generates from a prompt; calls `emit` with each token and stops early where it returns false
  /// or `cancellation` is set. The statistics are of what was done until then.
  func generate(
    _ prompt: [Int32], options: GenerationOptions, cancellation: CancellationFlag,
    emit: (GeneratedToken) -> Bool
  ) throws -> GenerationStatistics {
    try options.check()
    guard prompt.count <= decoder.contextLength else {
      throw EngineError.contextExceeded(
        tokenCount: prompt.count, contextLength: decoder.contextLength)
    }
    timeline?.startRecording()
    defer { timeline?.stopRecording() }
    let meter = GenerationMeter(self)
    return try decoder.withSequence(gating: makeGating(options.gating)) { sequence in
      try recording(options.routingTrace, gating: options.gating) {
        do {
          try generate(
            prompt, in: sequence, options: options, cancellation: cancellation, meter: meter,
            emit: emit)
        } catch is CancellationError {
          // Asked for, so no failure.
        }
        rememberHottestExperts()
        return meter.statistics(gating: options.gating)
      }
    }
  }

  private func generate(
    _ prompt: [Int32], in sequence: SequenceState, options: GenerationOptions,
    cancellation: CancellationFlag, meter: GenerationMeter, emit: (GeneratedToken) -> Bool
  ) throws {
    let contextCount = min(options.contextTokenCount, prompt.count)
    if contextCount > 0 {
      try prefill(
        Array(prompt.prefix(contextCount)), of: sequence, cancellation: cancellation,
        progress: { options.promptProgress?($0, prompt.count) }, each: { _, _ in })
      meter.restart()
    }
    try prefill(
      Array(prompt.dropFirst(contextCount)), of: sequence, cancellation: cancellation,
      progress: { options.promptProgress?(contextCount + $0, prompt.count) },
      each: { _, count in meter.countPrompt(count) })
    var logits = decoder.lastLogits()
    meter.finishPrefill()

    var sampler = Sampler(options.sampling, vocabularySize: header.description.vocabularySize)
    var detokenizer = Detokenizer(
      tokenizer: header.tokenizer, renderSpecial: options.rendersSpecialTokens,
      continuesText: true)
    let room = decoder.contextLength - prompt.count + 1
    let limit = min(options.tokenCountMax ?? room, room)
    var history = prompt
    history.reserveCapacity(prompt.count + limit)
    for step in 0..<limit {
      guard logits[VectorMath.argmax(logits)] > -.infinity else {
        throw try notANumber()
      }
      let token = decoder.timed(.sample) { sampler.sample(logits, history: history) }
      if header.tokenizer.isEnd(token) && !options.ignoresEnd {
        // What an unfinished character leaves must not be lost.
        let rest = detokenizer.finish()
        if !rest.isEmpty { _ = emit(GeneratedToken(id: token, text: rest)) }
        break
      }
      history.append(token)
      var text = detokenizer.push(token)
      let isLast = step + 1 == limit
      if isLast { text += detokenizer.finish() }
      meter.countToken()
      if !emit(GeneratedToken(id: token, text: text)) || isLast { break }
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
