import MoECore
import MoEExperts
import MoEModel

extension EngineCore {
  /// Ends a trace: it is complete then.
  @discardableResult
  func finishTrace(_ recorder: RoutingRecorder) throws(EngineError) -> Int {
    try reportingTrace { () throws(RoutingTraceWriteError) in try recorder.finish() }
  }

  /// Runs texts through the model in sequences of their own and records the routing.
  func recordRouting(
    of texts: [RoutingText], sequenceTokenCount: Int, to trace: RoutingTraceOptions,
    cancellation: CancellationFlag, progress: ((_ done: Int, _ total: Int) -> Void)?
  ) throws -> RecordedRouting {
    let start = MonotonicClock.nanoseconds()
    guard sequenceTokenCount >= 1 && sequenceTokenCount <= decoder.contextLength else {
      throw EngineError.invalidOption(
        name: "the sequence length", wanted: "from 1 to the context of \(decoder.contextLength)",
        found: "\(sequenceTokenCount)")
    }
    let texts = try texts.map { RoutingText(label: $0.label, tokens: try checked($0.tokens)) }
    let total = texts.reduce(0) { $0 + $1.tokens.count }
    guard total > 0 else { throw EngineError.textTooShort(tokenCount: 0, wanted: 1) }
    let recorder = try makeRecorder(trace, gating: .off)
    decoder.observer = recorder
    defer { decoder.observer = nil }
    for text in texts {
      var first = 0
      while first < text.tokens.count {
        let end = min(first + sequenceTokenCount, text.tokens.count)
        recorder.beginSequence(label: text.label)
        try withOwnSequence { sequence in
          try prefill(
            Array(text.tokens[first..<end]), of: sequence, cancellation: cancellation,
            each: { _, _ in
              try reportingTrace { () throws(RoutingTraceWriteError) in try recorder.check() }
              progress?(recorder.tokenCount, total)
            })
        }
        first = end
      }
    }
    let byteCount = try finishTrace(recorder)
    return RecordedRouting(
      tokenCount: recorder.tokenCount, sequenceCount: recorder.sequenceCount,
      byteCount: byteCount, seconds: Double(MonotonicClock.nanoseconds() - start) * 1e-9)
  }

  func makeRecorder(
    _ trace: RoutingTraceOptions, gating: GatingSpecification
  ) throws(EngineError) -> RoutingRecorder {
    var contents = RoutingTraceContents()
    (contents.weights, contents.tokenIDs, contents.passes) = (true, true, true)
    contents.logits = trace.includesLogits
    let routed = header.tensors.experts.layers.filter { $0.expertCount > 0 }
    // Slots behind a token's last expert, where a layer or the gating takes fewer than others.
    contents.emptySlots = !gating.isOff || Set(routed.map(\.expertsPerToken)).count > 1
    var metadata = RoutingTraceMetadata(header, weights: decoder.weights)
    if !gating.isOff { metadata.others["gating"] = .string(gating.description) }
    return try reportingTrace { () throws(RoutingTraceWriteError) in
      RoutingRecorder(
        try RoutingTraceWriter(path: trace.path, metadata: metadata, contents: contents))
    }
  }

  private func reportingTrace<Value>(
    _ body: () throws(RoutingTraceWriteError) -> Value
  ) throws(EngineError) -> Value {
    do throws(RoutingTraceWriteError) {
      return try body()
    } catch {
      throw .trace(error.description)
    }
  }
}

extension Engine {
  /// Runs texts through the model and records which experts each token takes in each layer, without
  /// generating anything: every text is cut into sequences that each start from an empty context.
  ///
  /// - Parameters:
  ///   - sequenceTokenCount: Tokens of a sequence, at most the context; a text's last may be
  ///     shorter.
  ///   - progress: Called on the engine's thread: tokens done, tokens in all.
  /// - Throws: Also when the task is cancelled (`EngineError.cancelled`); there is then no trace.
  public func recordRouting(
    of texts: [RoutingText], sequenceTokenCount: Int = 512, to trace: RoutingTraceOptions,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) async throws(EngineError) -> RecordedRouting {
    try await request { core, cancellation in
      try core.recordRouting(
        of: texts, sequenceTokenCount: sequenceTokenCount, to: trace,
        cancellation: cancellation, progress: progress)
    }
  }
}
