/// What to generate, and how.
public struct GenerationOptions: Sendable {
  /// Tokens to generate at most. Nil: until the model ends its text or the context is full.
  public var tokenCountMax: Int? = 256
  public var sampling = SamplingOptions()
  /// Texts that end the generation where they appear, however tokens cut them; they are not part of
  /// what is generated.
  public var stops: [String] = []
  /// Go on after an end-of-text token instead of stopping there.
  public var ignoresEnd = false
  /// Begin with the model's beginning-of-text token, where it has one and wants it.
  public var addsSpecialTokens = true
  /// Read names of special tokens in the prompt as those tokens. Off, since what a person writes
  /// must not steer the model as its template does; `Engine.generate(_:_:)` with segments tells
  /// the two apart.
  public var parsesSpecialTokens = false
  /// Write special tokens that the model generates as their names instead of leaving them out.
  public var rendersSpecialTokens = false
  /// What changes which experts tokens take. Off: the model as it is.
  public var gating = GatingSpecification.off
  /// Record the routing of the generation, prompt included. Nil: not recorded.
  public var routingTrace: RoutingTraceOptions?
  /// Go on from what an earlier request with the same beginning has left or has come to, and leave
  /// this one's state to later ones, as long as there is room (`EngineOptions.keptStateCount`).
  /// Does not change the text.
  public var keepsState = false
  /// Say of each token how probable it was, and name so many of the most probable ones. Nil: don't.
  public var logProbabilityCount: Int?
  /// The form that the text must have; nil: any.
  public var grammar: OutputGrammar?
  /// Sees the logits, one for each token of the vocabulary, before a token is drawn, and the tokens
  /// of the text so far, prompt included; may change the logits. Called on the engine's thread.
  public var changesLogits:
    (@Sendable (_ logits: inout MutableSpan<Float>, _ text: [Int32]) -> Void)?
  /// Leading tokens of the prompt that are run before the statistics begin: they are the context in
  /// which a benchmark measures what follows. Does not change the text.
  package var contextTokenCount = 0
  /// Called on the engine's thread while the prompt is read: tokens done, tokens in all. The first
  /// call is before the reading and has the tokens that were held already.
  public var promptProgress: (@Sendable (_ done: Int, _ total: Int) -> Void)?

  public init() {}

  /// Refuses values that have no meaning.
  func check() throws(EngineError) {
    if let tokenCountMax, tokenCountMax < 0 {
      throw .invalidOption(
        name: "the count of tokens to generate", wanted: "at least 0", found: "\(tokenCountMax)")
    }
    guard contextTokenCount >= 0 else {
      throw .invalidOption(
        name: "the count of context tokens", wanted: "at least 0", found: "\(contextTokenCount)")
    }
    if let logProbabilityCount, logProbabilityCount < 0 {
      throw .invalidOption(
        name: "the count of probable tokens", wanted: "at least 0", found: "\(logProbabilityCount)")
    }
    try sampling.check()
  }
}

/// One token that a model generated.
public struct GeneratedToken: Sendable, Equatable {
  public var id: Int32
  /// The text that this token completes; empty while a character's bytes are not all there.
  public var text: String
  /// The natural logarithm of its probability, where that was asked for.
  public var logProbability: Double?
  /// The most probable tokens in its place, best first, where they were asked for.
  public var alternatives: [TokenProbability] = []
}

/// What a generation did; speeds in tokens per second.
public struct GenerationStatistics: Sendable, Codable, Equatable {
  /// Tokens of the prompt that were run.
  public var promptTokenCount = 0
  /// Tokens of the prompt before these, which the session held already.
  public var heldTokenCount = 0
  public var finish = FinishReason.length
  public var generatedTokenCount = 0
  /// From the start to the prompt's last logits.
  public var prefillSeconds = 0.0
  /// From the first generated token to the last; the first itself comes from the prefill.
  public var decodeSeconds = 0.0
  public var prefill = ExpertTraffic()
  public var decode = ExpertTraffic()
  /// Experts that were read into the pool before anything asked for them
  /// (`EngineOptions.warmStart`).
  public var warmedExpertCount = 0
  /// Nil where no gating was on.
  public var gating: GatingStatistics?
  /// Peak of the resident set as the kernel counts it, of the whole process so far.
  public var peakByteCount = 0
  public var budgetByteCount = 0

  public init() {}

  public var prefillTokensPerSecond: Double {
    prefillSeconds > 0 ? Double(promptTokenCount) / prefillSeconds : 0
  }

  /// Not counting the first token.
  public var decodeTokensPerSecond: Double {
    decodeSeconds > 0 ? Double(max(0, generatedTokenCount - 1)) / decodeSeconds : 0
  }
}

/// Why a generation ended.
public enum FinishReason: Sendable, Codable, Equatable {
  /// The model ended its text.
  case end
  /// One of the texts that it was to end at came.
  case stop(String)
  /// As many tokens as were asked for, or the context is full.
  case length
  /// It was stopped.
  case cancelled
}

/// What the experts of one phase cost.
public struct ExpertTraffic: Sendable, Codable, Equatable {
  /// One per expert, layer and step.
  public var requestCount = 0
  public var hitCount = 0
  /// Misses whose expert had been read ahead, or was on its way.
  public var prefetchedCount = 0
  /// Experts that were read ahead, wanted or not.
  public var prefetchCount = 0
  /// The bytes of these, and of those that were given up without having been asked for.
  public var prefetchByteCount = 0
  public var prefetchWastedByteCount = 0
  /// Experts that were guessed a layer ahead, and those that the layer then asked for.
  public var guessCount = 0
  public var rightGuessCount = 0
  /// Requests besides that copies in fewer bits have answered, and experts of those that were read
  /// behind them.
  public var lowCount = 0
  public var behindCount = 0
  /// Bytes read from disk, what was read ahead in vain included.
  public var readByteCount = 0
  /// Time with nothing to compute until the disk delivered.
  public var stallSeconds = 0.0

  public init() {}

  /// Hits over requests; 1 where nothing was requested.
  public var hitRate: Double {
    requestCount > 0 ? Double(hitCount) / Double(requestCount) : 1
  }
}
