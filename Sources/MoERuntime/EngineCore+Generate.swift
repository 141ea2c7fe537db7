import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoETokenizer

/// Requests in progress: how they begin, and how they end.
extension EngineCore {
  var isIdle: Bool { runs.isEmpty }

  /// Whether a request may begin now.
  func hasPlace(for options: GenerationOptions) -> Bool {
    if runs.isEmpty { return true }
    return runs.count < self.options.parallelRequestCount && !runsAlone(options)
      && !runs.contains { runsAlone($0.request.options) }
  }

  /// What is recorded is of one text at a time.
  private func runsAlone(_ options: GenerationOptions) -> Bool {
    options.routingTrace != nil || timeline != nil
  }

  /// Begins a request; the steps that follow go on with it.
  ///
  /// - Parameter prompt: At least one token.
  func begin(_ request: GenerationRequest, prompt: [Int32]) throws {
    let options = request.options
    try options.check()
    guard prompt.count <= decoder.contextLength else {
      throw EngineError.contextExceeded(
        tokenCount: prompt.count, contextLength: decoder.contextLength)
    }
    let gating = try makeGating(options.gating)
    let recorder = try options.routingTrace.map { trace in
      let recorder = try makeRecorder(trace, gating: options.gating)
      recorder.beginSequence(label: trace.label)
      return recorder
    }
    let (sequence, heldCount) =
      if let session = request.session {
        states.begin(session, prompt, on: decoder)
      } else if options.keepsState {
        states.begin(
          prompt, beside: runs.filter(\.leavesState).map { ($0.text, $0.sequence) }, on: decoder)
      } else {
        (states.makeSequence(on: decoder), 0)
      }
    sequence.gating = gating
    options.promptProgress?(heldCount, prompt.count)
    timeline?.startRecording()
    decoder.observer = recorder
    let room = decoder.contextLength - prompt.count + 1
    runs.append(
      GenerationRun(
        request, sequence: sequence, prompt: prompt, heldCount: heldCount,
        tokenCountLimit: min(options.tokenCountMax ?? room, room),
        sampler: Sampler(
          options.sampling, vocabularySize: header.description.vocabularySize,
          breakers: breakerTokens(options.sampling)),
        tokenizer: header.tokenizer, recorder: recorder,
        // What gatings that look at the cache choose depends on the step.
        draftCountMax: gating == nil && decoder.canGoBack
          ? min(self.options.draftTokenCountMax, decoder.stepRowCountMax - 1) : 0))
  }

  /// Ends a request that made its text, or was stopped.
  func end(_ run: GenerationRun, _ reason: FinishReason) {
    runs.removeAll { $0 === run }
    if run.request.session != nil || run.request.options.keepsState {
      states.keep(run.request.session, run.sequence, tokens: run.text, on: decoder)
    } else {
      decoder.endSequence(run.sequence)
    }
    stopRecording(run)
    rememberHottestExperts()
    run.meter.finish(reason)
    do {
      // What was stopped before its first pass ended leaves nothing to keep.
      if let recorder = run.recorder, recorder.tokenCount > 0 { try finishTrace(recorder) }
      run.request.end(
        .success(
          run.meter.statistics(
            gating: run.request.options.gating, core: self)))
    } catch {
      run.request.end(.failure(error))
    }
  }

  /// Ends a request that failed.
  func end(_ run: GenerationRun, failure: any Error) {
    runs.removeAll { $0 === run }
    // Nobody knows how far it came.
    decoder.endSequence(run.sequence)
    stopRecording(run)
    run.request.end(.failure(failure))
  }

  private func stopRecording(_ run: GenerationRun) {
    timeline?.stopRecording()
    if run.recorder != nil { decoder.observer = nil }
  }

  /// Does something with a new sequence, which ends with it.
  func withOwnSequence<Value>(
    gating: (any Gating)? = nil, _ body: (SequenceState) throws -> Value
  ) rethrows -> Value {
    let sequence = states.makeSequence(on: decoder)
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
}
