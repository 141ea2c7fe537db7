import FoundationEssentials
import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoETokenizer

/// A loaded model with everything that runs it. Lives on its engine's driver thread alone.
final class EngineCore {
  let header: LoadedHeader
  let options: EngineOptions
  let plan: MemoryPlan
  let reader: ExtentReader
  let decoder: Decoder
  /// Requests in progress, the one that began first at the front.
  var runs: [GenerationRun] = []
  var states = KeptStates()
  var promptPace: PromptPace
  /// The breakers of `SamplingOptions.dryBreakers` as tokens, as they were asked for last.
  var breakers: (texts: [String], tokens: Set<Int32>) = ([], [])
  /// What a generation spends its time on, where that was asked for.
  let timeline: Timeline?
  /// Keeps the memory that the decoder borrows.
  private let dense: DenseWeights
  /// Nil where nothing is remembered from run to run, or all experts are in memory.
  private let warmStart: WarmStart?

  /// Reads the weights. `progress` gets bytes read so far, and in all.
  init(
    _ prepared: PreparedRun, progress: ((_ done: Int, _ total: Int) -> Void)?
  ) throws(EngineError) {
    header = prepared.header
    options = prepared.options
    plan = prepared.plan
    promptPace = PromptPace(share: options.prefillShare)
    guard plan.fits else { throw .budgetTooSmall(plan) }
    if let hole = header.hole { throw .incompleteFile(hole) }
    let tensors = header.tensors
    let isResident = plan.placement == .resident
    let total =
      DenseWeights.fileByteCount(tensors)
      + (isResident ? tensors.experts.byteCount : tensors.lowExperts?.byteCount ?? 0)
    var done = 0
    func report(_ byteCount: Int) {
      done += byteCount
      progress?(done, total)
    }
    do {
      timeline =
        options.timelineEventCount == 0
        ? nil
        : try Timeline(
          eventCapacity: options.timelineEventCount, workerCount: prepared.threadCount)
    } catch {
      throw .outOfMemory("the timeline does not fit in memory: \(error)")
    }
    let team = try Self.makeTeam(prepared, timeline: timeline)
    reader = try prepared.makeReader()
    reader.timeline = timeline
    dense = try DenseWeights(tensors, reader: reader, team: team, progress: report)
    if let (tensor, index) = dense.decoderWeights.firstDamagedScale(tensors) {
      throw .damagedWeight(DamagedWeight(tensor, element: index, of: header.files))
    }
    let experts: any ExpertSource
    do {
      if isResident {
        warmStart = nil
        experts = try ResidentExperts(
          tensors.experts, reader: reader, team: team, progress: report)
      } else {
        let offloaded = try OffloadedExperts(
          tensors.experts, reader: reader, team: team, poolByteCount: plan.poolByteCount,
          loanByteCount: plan.loanByteCount,
          // What copies answer is not waited for, so there is nothing to read ahead.
          prefetch: PrefetchOptions(
            stagingSlotCount: tensors.lowExperts == nil ? options.usedStagingSlotCount : 0),
          policy: options.cachePolicy.entry,
          sequenceCountMax: options.sequenceCount)
        warmStart =
          options.warmStart
          ? WarmStart(header, environment: ProcessInfo.processInfo.environment) : nil
        if let warmStart { offloaded.warmUp(warmStart.experts()) }
        experts = try Self.withLowCopies(offloaded, tensors, options, reader, team, report)
      }
    } catch {
      throw .experts(error)
    }
    do {
      decoder = try Decoder(
        description: header.description, weights: dense.decoderWeights, experts: experts,
        team: team, scratch: prepared.scratchLayout,
        states: plan.stateLayout(header.description, type: options.kvCacheType.kvType),
        predictor: isResident ? PredictorRegistry.off : options.predictor.entry)
    } catch {
      throw .outOfMemory("the sequences' state and scratch do not fit in memory: \(error)")
    }
    decoder.populate()
  }

  /// The same with copies of all experts in fewer bits, where the bundle's are wanted.
  private static func withLowCopies(
    _ offloaded: OffloadedExperts, _ tensors: ModelTensors, _ options: EngineOptions,
    _ reader: ExtentReader, _ team: WorkerTeam, _ progress: (_ byteCount: Int) -> Void
  ) throws(ExpertError) -> any ExpertSource {
    guard let layout = tensors.lowExperts else { return offloaded }
    return TwoPrecisionExperts(
      offloaded,
      low: try ResidentExperts(layout, reader: reader, team: team, progress: progress),
      behindCountPerStep: options.readBehindCount)
  }

  private static func makeTeam(
    _ prepared: PreparedRun, timeline: Timeline?
  ) throws(EngineError) -> WorkerTeam {
    do {
      return try WorkerTeam(
        workerCount: prepared.threadCount, timeline: timeline,
        spinsBriefly: prepared.processors.hasQuota)
    } catch {
      throw .outOfMemory("\(error)")
    }
  }

  /// Goes on reading what the last run used most; false where there is nothing left to wait for.
  func continueWarmUp() -> Bool {
    offloaded?.continueWarmUp() ?? false
  }

  /// Remembers for the next run what this one used most.
  func rememberHottestExperts() {
    guard let warmStart, let offloaded else { return }
    warmStart.store(offloaded.hottestExperts)
  }

  /// The pool that experts are read to; nil where all are in memory.
  var offloaded: OffloadedExperts? {
    switch decoder.experts {
    case let experts as OffloadedExperts: experts
    case let experts as TwoPrecisionExperts: experts.high
    default: nil
    }
  }

  /// The prompt's tokens, checked against vocabulary and context.
  func tokens(
    of prompt: [PromptSegment], options: GenerationOptions
  ) throws(EngineError) -> [Int32] {
    let tokens = header.tokenizer.encode(prompt, addSpecial: options.addsSpecialTokens)
    if !tokens.isEmpty { return try checked(tokens) }
    // Nothing to go on but the token that texts begin with, or the one that ends the text before.
    guard let start = header.tokenizer.beginToken ?? header.tokenizer.endToken else {
      throw .emptyPrompt
    }
    return try checked([start])
  }

  func checked(_ tokens: [Int32]) throws(EngineError) -> [Int32] {
    let vocabularySize = header.description.vocabularySize
    if let wrong = tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) {
      throw .invalidToken(id: wrong, vocabularySize: vocabularySize)
    }
    return tokens
  }

  /// Runs tokens of one sequence in chunks. `each` is called after every chunk with the number of
  /// its first token and their count, `progress` after every layer with about how many tokens are
  /// done.
  func prefill(
    _ tokens: [Int32], of sequence: SequenceState, cancellation: CancellationFlag,
    progress: ((Int) -> Void)? = nil,
    each: (_ start: Int, _ count: Int) throws -> Void
  ) throws {
    let layerCount = header.description.layerCount
    var start = 0
    while start < tokens.count {
      let count = min(decoder.stepRowCountMax, tokens.count - start)
      let chunk = tokens[start..<start + count]
      try timedStep(.prefillChunk, position: sequence.position, tokenCount: count) {
        try forward(chunk, of: sequence, phase: .prefill, cancellation: cancellation) { done in
          progress?(start + count * done / layerCount)
        }
      }
      try each(start, count)
      start += count
    }
  }

  /// What to say where the output is no number: the weight that is to blame. Looking for it reads
  /// the files, which is done only then.
  func notANumber() throws(EngineError) -> EngineError {
    let path = header.files[0].path
    guard let weight = try DamagedWeight.first(inModelAt: path) else {
      return .logitsAreNoNumbers(file: path)
    }
    return .damagedWeight(weight)
  }

  /// Runs the next tokens; what is wrong with the experts becomes an `EngineError`.
  func forward(
    _ tokens: some Collection<Int32>, of sequence: SequenceState, phase: InferencePhase,
    cancellation: CancellationFlag, progress: ((_ layerCount: Int) -> Void)? = nil
  ) throws {
    do {
      try decoder.forward(
        tokens, of: sequence, phase: phase, cancellation: cancellation, progress: progress)
    } catch let error as ExpertError {
      throw EngineError.experts(error)
    }
  }
}
