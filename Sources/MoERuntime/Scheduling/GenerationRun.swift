import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoETokenizer

/// What somebody asked for, and where the answer goes.
struct GenerationRequest {
  let options: GenerationOptions
  /// Whose text it is; nil: one that is forgotten, or left for anybody.
  let session: SessionID?
  let cancellation: CancellationFlag
  /// Takes a token; false to stop.
  let emit: (GeneratedToken) -> Bool
  let end: (Result<GenerationStatistics, any Error>) -> Void
}

/// One request in progress: its text so far, and what makes its next token.
///
/// Invariant between steps: the sequence holds the first `sequence.position` tokens of the text,
/// but not the last one.
final class GenerationRun {
  let request: GenerationRequest
  let sequence: SequenceState
  let meter: GenerationMeter
  let recorder: RoutingRecorder?
  /// The prompt and what was generated.
  private(set) var text: [Int32]
  private let promptCount: Int
  /// Leading tokens of the prompt that are not measured.
  private let contextCount: Int
  private var sampler: Sampler
  private var stops: StopMatcher
  private var detokenizer: Detokenizer
  private let tokenizer: Tokenizer
  private var grammar: GrammarStage?
  private let tokenCountLimit: Int
  private var generatedCount = 0
  private var servedCount = 0
  /// Tokens that may come next, which the step verifies.
  private var draft: [Int32] = []
  private var drafter: PromptLookup?
  /// Tokens of the text that had been run when its next token was drawn.
  private var runCount = 0

  init(
    _ request: GenerationRequest, sequence: SequenceState, prompt: [Int32], heldCount: Int,
    tokenCountLimit: Int, sampler: Sampler, tokenizer: Tokenizer, recorder: RoutingRecorder?,
    draftCountMax: Int
  ) {
    let options = request.options
    self.request = request
    self.sequence = sequence
    self.recorder = recorder
    self.sampler = sampler
    self.tokenizer = tokenizer
    self.tokenCountLimit = tokenCountLimit
    promptCount = prompt.count
    contextCount = max(heldCount, min(options.contextTokenCount, prompt.count))
    text = prompt
    text.reserveCapacity(prompt.count + min(tokenCountLimit, 1 << 16))
    stops = StopMatcher(options.stops)
    detokenizer = Detokenizer(
      tokenizer: tokenizer, renderSpecial: options.rendersSpecialTokens, continuesText: true)
    meter = GenerationMeter(heldTokenCount: heldCount)
    grammar = options.grammar.map { GrammarStage($0, tokenizer: tokenizer) }
    drafter = draftCountMax > 0 ? PromptLookup(countMax: draftCountMax) : nil
  }

  /// What is to be run next; of a prompt, at most what belongs to one measurement.
  var pending: ArraySlice<Int32> {
    if !draft.isEmpty { return ([text[text.count - 1]] + draft)[...] }
    let end = sequence.position < contextCount ? contextCount : text.count
    return text[sequence.position..<end]
  }

  /// Whether other requests may go on from what this one has come to.
  var leavesState: Bool { request.session == nil && request.options.keepsState }

  var candidate: StepSchedule.Candidate {
    StepSchedule.Candidate(
      pendingCount: pending.count, isPrompt: isPrompt, servedCount: servedCount)
  }

  /// Whether what is to be run was given, or must be run once more.
  private var isPrompt: Bool { generatedCount == 0 || text.count - sequence.position > 1 }

  /// Whether all of the text has been run, so that its next token can be drawn.
  var isWhole: Bool { sequence.position >= text.count }

  /// Looks for what may come next, where that is asked for.
  func prepareStep() {
    draft = []
    guard drafter != nil, !isPrompt else { return }
    let room = tokenCountLimit - generatedCount - 1
    draft = drafter?.draft(after: text, countMax: room) ?? []
  }

  func didComputeLayers(_ done: Int, of layerCount: Int, rowCount: Int) {
    guard sequence.position < promptCount else { return }
    request.options.promptProgress?(
      min(promptCount, sequence.position + rowCount * done / layerCount), promptCount)
  }

  func didReadPrompt(_ count: Int) {
    servedCount += count
    if sequence.position <= contextCount && contextCount > meter.heldTokenCount {
      meter.restart()
    } else {
      meter.countPrompt(count)
    }
  }

  func didVerify(rowCount: Int, seconds: Double) {
    drafter?.didVerify(draftCount: rowCount - 1, seconds: seconds)
  }

  /// A step did not end: what it has overwritten of a window is read again from the start.
  func recoverFromFailedStep(_ decoder: Decoder) {
    draft = []
    if !sequence.isIntact { decoder.cut(sequence) }
  }

  /// Takes the tokens off the sequence that were drafted wrongly.
  func goBack(_ decoder: Decoder) {
    draft = []
    guard sequence.position > runCount else { return }
    let isDone = decoder.cut(sequence, to: runCount)
    assert(isDone, "drafts are made only where sequences can go back")
  }

  /// Draws the next token, and those after it for which a draft was right.
  ///
  /// - Parameter logits: Of the last row that was run, or of all rows of a draft.
  /// - Returns: Why the text ends here; nil where it goes on.
  func makeTokens(_ logits: FloatRows, core: EngineCore) throws -> FinishReason? {
    runCount = text.count
    if tokenCountLimit == 0 { return .length }
    for row in 0..<logits.rowCount {
      let position = text.count
      runCount = position
      if let reason = try makeToken(logits.row(row), core: core) { return reason }
      guard row < draft.count, text[position] == draft[row] else { break }
      drafter?.countAccepted()
    }
    return nil
  }

  private func makeToken(_ logits: FloatView, core: EngineCore) throws -> FinishReason? {
    guard logits[VectorMath.argmax(logits)] > -.infinity else { throw try core.notANumber() }
    let reported = request.options.logProbabilityCount.map {
      LogProbabilities(logits, alternativeCount: $0)
    }
    changeLogits(logits)
    try grammar?.restrict(logits)
    let token = core.decoder.timed(.sample) { sampler.sample(logits, history: text) }
    try grammar?.accept(token)
    if tokenizer.isEnd(token) && (!request.options.ignoresEnd || grammar != nil) {
      // What an unfinished character leaves must not be lost.
      let (found, stop) = stops.push(detokenizer.finish())
      let rest = stop == nil ? found + stops.finish() : found
      if !rest.isEmpty { _ = request.emit(GeneratedToken(id: token, text: rest)) }
      return .end
    }
    text.append(token)
    generatedCount += 1
    servedCount += 1
    let isLast = generatedCount == tokenCountLimit
    let (found, stop) = stops.push(
      detokenizer.push(token) + (isLast ? detokenizer.finish() : ""))
    let piece = isLast && stop == nil ? found + stops.finish() : found
    meter.countToken()
    let isWanted = request.emit(
      GeneratedToken(
        id: token, text: piece, logProbability: reported?.value(of: token),
        alternatives: reported?.alternatives ?? []))
    if let stop { return .stop(stop) }
    if !isWanted { return .cancelled }
    return isLast ? .length : nil
  }

  private func changeLogits(_ logits: FloatView) {
    guard let change = request.options.changesLogits else { return }
    var span = unsafe MutableSpan(_unsafeStart: logits.pointer, count: logits.count)
    change(&span, text)
  }
}
