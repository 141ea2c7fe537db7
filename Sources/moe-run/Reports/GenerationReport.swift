import MoERuntime

/// What `--stats-json` writes: one flat object, these properties in snake_case as its keys.
///
/// | Key | Meaning |
/// |---|---|
/// | `model`, `architecture` | path as given; `general.architecture` |
/// | `seed` | of the sampler; the same seed and flags give the same text |
/// | `interrupted` | whether a signal ended the generation |
/// | `load_seconds` | reading header and dense weights |
/// | `prompt_tokens`, `generated_tokens` | counts |
/// | `prefill_seconds` | from the start to the prompt's last logits, which give the first token |
/// | `prefill_tokens_per_second` | prompt tokens over that time |
/// | `decode_seconds` | from the first generated token to the last |
/// | `decode_tokens_per_second` | generated tokens but the first, over that time |
/// | `*_expert_requests` | one per expert, layer and step of the phase |
/// | `*_hit_rate` | requests whose expert was in memory, over requests; 1 without requests |
/// | `*_read_bytes` | read from disk for the misses of the phase |
/// | `decode_prefetched_experts`, `_bytes` | read before a layer asked for them |
/// | `decode_prefetched_used` | experts of these that were asked for |
/// | `decode_prefetched_wasted_bytes` | bytes of these that were given up unused |
/// | `decode_guesses`, `_right` | experts guessed a layer ahead; and asked for |
/// | `decode_read_bytes_per_token` | the same over generated tokens but the first |
/// | `*_stall_seconds` | with nothing to compute until the disk delivered |
/// | `warm_start_experts` | read before anything asked for them, as used most by the last run |
/// | `peak_bytes` | peak resident set of the process (`VmHWM`) at the generation's end |
/// | `budget_bytes` | the memory budget |
/// | `fits_budget` | whether the peak is within the budget |
/// | `context_length`, `chunk_tokens`, `threads` | as used |
/// | `placement`, `pool_slots`, `experts` | where experts are; how many have room; how many exist |
/// | `gating`, `*_experts_per_token` | where one was on: its text, experts of a token in a layer |
/// | `cache_policy`, `predictor`, `store`, `instruction_set` | as used; `store` in words |
///
/// `*` stands for `prefill` and `decode`.
struct GenerationReport: Encodable {
  let model: String
  let architecture: String
  let seed: UInt64?
  let interrupted: Bool
  let loadSeconds: Double

  let promptTokens: Int
  let generatedTokens: Int

  let prefillSeconds: Double
  let prefillTokensPerSecond: Double
  let prefillExpertRequests: Int
  let prefillHitRate: Double
  let prefillReadBytes: Int
  let prefillStallSeconds: Double

  let decodeSeconds: Double
  let decodeTokensPerSecond: Double
  let decodeExpertRequests: Int
  let decodeHitRate: Double
  let decodePrefetchedExperts: Int
  let decodePrefetchedUsed: Int
  let decodePrefetchedBytes: Int
  let decodePrefetchedWastedBytes: Int
  let decodeGuesses: Int
  let decodeRightGuesses: Int
  let decodeReadBytes: Int
  let decodeReadBytesPerToken: Double
  let decodeStallSeconds: Double

  let warmStartExperts: Int
  let peakBytes: Int
  let budgetBytes: Int
  let fitsBudget: Bool

  let contextLength: Int
  let chunkTokens: Int
  let threads: Int
  let placement: ExpertPlacement
  let poolSlots: Int
  let lentSlots: Int
  let lentBytes: Int
  let experts: Int
  let gating: String?
  let prefillExpertsPerToken: Double?
  let decodeExpertsPerToken: Double?
  let cachePolicy: String
  let predictor: String
  let store: String
  let instructionSet: String

  init(
    _ statistics: GenerationStatistics, plan: RunPlan, options: GenerationOptions,
    loadSeconds: Double
  ) {
    model = plan.path
    architecture = plan.architecture
    seed = options.sampling.seed
    interrupted = Interruption.received != nil
    self.loadSeconds = loadSeconds
    promptTokens = statistics.promptTokenCount
    generatedTokens = statistics.generatedTokenCount
    prefillSeconds = statistics.prefillSeconds
    prefillTokensPerSecond = statistics.prefillTokensPerSecond
    prefillExpertRequests = statistics.prefill.requestCount
    prefillHitRate = statistics.prefill.hitRate
    prefillReadBytes = statistics.prefill.readByteCount
    prefillStallSeconds = statistics.prefill.stallSeconds
    decodeSeconds = statistics.decodeSeconds
    decodeTokensPerSecond = statistics.decodeTokensPerSecond
    decodeExpertRequests = statistics.decode.requestCount
    decodeHitRate = statistics.decode.hitRate
    decodePrefetchedExperts = statistics.decode.prefetchCount
    decodePrefetchedUsed = statistics.decode.prefetchedCount
    decodePrefetchedBytes = statistics.decode.prefetchByteCount
    decodePrefetchedWastedBytes = statistics.decode.prefetchWastedByteCount
    decodeGuesses = statistics.decode.guessCount
    decodeRightGuesses = statistics.decode.rightGuessCount
    decodeReadBytes = statistics.decode.readByteCount
    decodeReadBytesPerToken = statistics.decodeReadByteCountPerToken
    decodeStallSeconds = statistics.decode.stallSeconds
    warmStartExperts = statistics.warmedExpertCount
    peakBytes = statistics.peakByteCount
    budgetBytes = statistics.budgetByteCount
    fitsBudget = statistics.peakByteCount <= statistics.budgetByteCount
    contextLength = plan.memory.contextLength
    chunkTokens = plan.memory.chunkTokenCount
    threads = plan.memory.threadCount
    placement = plan.memory.placement
    poolSlots = plan.memory.slotCount
    lentSlots = plan.memory.lentSlotCount
    lentBytes = plan.memory.loanByteCount
    experts = plan.memory.expertCount
    gating = statistics.gating?.gating
    prefillExpertsPerToken = statistics.gating?.prefillExpertsPerToken
    decodeExpertsPerToken = statistics.gating?.decodeExpertsPerToken
    cachePolicy = plan.cachePolicy.rawValue
    predictor = plan.predictor.rawValue
    store = plan.store
    instructionSet = plan.instructionSet
  }
}

extension GenerationStatistics {
  /// Bytes of experts read from disk for each token that a decode step made.
  var decodeReadByteCountPerToken: Double {
    Double(decode.readByteCount) / Double(max(1, generatedTokenCount - 1))
  }
}
