import MoECache
import MoECore
import MoEExperts
import MoEKernels
package import MoEModel
import MoEStore

/// Divides a memory budget: first what has a fixed size, the rest to the experts.
package struct MemoryPlanner {
  let description: ModelDescription
  let tensors: ModelTensors
  let modelByteCount: Int
  var options: EngineOptions
  let threadCount: Int
  var contextLength: Int
  /// What the process costs before anything of the model is in memory.
  let processByteCount: Int
  let budget: MemoryBudget

  /// What the process will still grow by: stacks of workers and readers, rings and queues, the
  /// tokenizer's and sampler's working arrays, code that has not run yet.
  private static let growthByteCount = 6 << 20
  private static let workerByteCount = 64 << 10
  /// How much what the process costs may differ from start to start, as the addresses of libraries
  /// do; the smallest budget that is named must still do at the next start.
  private static let startVariationByteCount = 1 << 20
  /// Chunks of a prompt, in order of preference. All give the same results.
  private static let chunkSizes = [2048, 1024, 512, 256, 128, 64, 32, 16, 8]
  /// Scratch may take this share of what is left for scratch and experts, or as much as chunks of
  /// the modest size take as long as that is a tenth.
  private static let (scratchShare, modestShare, modestSize) = (0.03, 0.1, 256)

  package init(
    description: ModelDescription, tensors: ModelTensors, modelByteCount: Int,
    options: EngineOptions, threadCount: Int, contextLength: Int, processByteCount: Int,
    budget: MemoryBudget
  ) {
    self.description = description
    self.tensors = tensors
    self.modelByteCount = modelByteCount
    self.options = options
    self.threadCount = threadCount
    self.contextLength = contextLength
    self.processByteCount = processByteCount
    self.budget = budget
  }

  package func plan() throws(EngineError) -> MemoryPlan {
    let pool = PoolLayout(tensors.experts)
    let fixed = fixedRows()
    let fixedByteCount = fixed.reduce(0) { $0 + $1.byteCount }
    let floor = expertFloorByteCount(pool)
    let chunk = chunkTokenCount(fixedByteCount: fixedByteCount, floor: floor)
    let scratch = scratchByteCount(chunk)
    var rows = fixed
    rows.append(
      MemoryPlan.Row(
        name: "scratch", byteCount: scratch,
        basis: options.chunkTokenCount == nil ? .derived : .user,
        note: "activations of \(chunk) prompt tokens at once"))
    let kernelShare = kernelByteCount(budget.byteCount)
    rows.append(
      MemoryPlan.Row(
        name: "kernel", byteCount: kernelShare, basis: .derived,
        note: "page tables, charged by memory cgroups"))
    let rest = budget.byteCount - fixedByteCount - scratch - kernelShare
    let experts = try expertsRow(pool: pool, available: rest)
    if experts.loanByteCount > 0,
      let row = rows.firstIndex(where: { $0.name == MemoryPlan.stateRowName })
    {
      rows[row].note +=
        "; \(ByteSize(experts.loanByteCount)) are lent to experts until a text needs them"
    }
    return MemoryPlan(
      budgetByteCount: budget.byteCount, budgetBasis: budget.basis, budgetNote: budget.note,
      rows: rows, experts: experts.row, poolByteCount: experts.poolByteCount,
      placement: experts.placement,
      slotCount: experts.slotCount, loanByteCount: experts.loanByteCount,
      lentSlotCount: experts.lentSlotCount, expertCount: tensors.experts.expertCount,
      contextLength: contextLength, sequenceCount: options.sequenceCount,
      chunkTokenCount: chunk, threadCount: threadCount,
      smallestBudgetByteCount: smallestBudget(fixedByteCount: fixedByteCount, floor: floor))
  }

  private func fixedRows() -> [MemoryPlan.Row] {
    let vocabulary =
      options.parallelRequestCount * description.vocabularySize * Sampler.byteCountPerCandidate
    let growth =
      Self.growthByteCount + threadCount * Self.workerByteCount + vocabulary + policyByteCount
    var rows = [
      MemoryPlan.Row(
        name: "process", byteCount: processByteCount, basis: .measured,
        note: "code, Swift runtime, tokenizer, file header"),
      MemoryPlan.Row(
        name: "growth", byteCount: growth, basis: .derived,
        note: "\(threadCount) workers, reader, sampler, cache policy, code not run yet"),
      MemoryPlan.Row(
        name: "dense weights", byteCount: DenseWeights.byteCount(tensors), basis: .derived,
        note: "attention, norms, routers, embedding, output" + transposedNote),
      MemoryPlan.Row(
        name: MemoryPlan.stateRowName,
        byteCount: states.byteCount,
        basis: options.contextLength == nil ? .default : .user,
        note: stateNote),
    ]
    if options.store.entry?.holdsFiles == true {
      rows.append(
        MemoryPlan.Row(
          name: "files", byteCount: modelByteCount, basis: .user,
          note: "whole, for the store '\(options.store)'"))
    }
    if let low = tensors.lowExperts, options.placement != .resident {
      rows.append(
        MemoryPlan.Row(
          name: "low copies", byteCount: ResidentExperts.byteCount(low), basis: .user,
          note: "all experts once more, in fewer bits"))
    }
    if options.holdsGrammars {
      rows.append(
        MemoryPlan.Row(
          name: "grammars",
          byteCount: GrammarShelf.byteCount(
            vocabularySize: description.vocabularySize,
            parallelRequestCount: options.parallelRequestCount), basis: .user,
          note: "the vocabulary as grammars see it, and what these learn"))
    }
    let predictorByteCount = options.predictor.entry.byteCount(
      description.predictorShape(
        rowCountMax: min(options.chunkTokenCount ?? Self.chunkSizes[0], contextLength),
        sequenceCountMax: options.sequenceCount))
    if predictorByteCount > 0 && options.placement != .resident {
      rows.append(
        MemoryPlan.Row(
          name: "predictor", byteCount: predictorByteCount, basis: .user,
          note: "what '\(options.predictor)' learns of which experts are used"))
    }
    if options.timelineEventCount > 0 {
      rows.append(
        MemoryPlan.Row(
          name: "timeline",
          byteCount: Timeline.byteCount(eventCapacity: options.timelineEventCount), basis: .user,
          note: "\(options.timelineEventCount) events"))
    }
    return rows
  }

  /// What the cache policy learns is kept beside the experts.
  private var policyByteCount: Int {
    if options.placement == .resident { return 0 }
    let layers = tensors.experts.layers.map {
      LayerGeometry(expertCount: $0.expertCount, sizeClass: 0)
    }
    return options.cachePolicy.entry.noteByteCount(
      CacheGeometry(layers: layers, slotCounts: [0], sequenceCountMax: options.sequenceCount))
  }

  /// Where a part of the dense weights is not as the file has it.
  private var transposedNote: String {
    let byteCount = DecoderWeights.transposedByteCount(tensors)
    return byteCount == 0 ? "" : "; \(ByteSize(byteCount)) of them transposed at load"
  }

  private func scratchByteCount(_ chunk: Int) -> Int {
    ScratchLayout(
      description: description, tensors: tensors, tokenCount: chunk,
      logitRowCount: options.usedLogitRowCount
    ).mappedByteCount + AlignedBuffer.mappedByteCount(for: conversionByteCount)
      + tensors.experts.codecByteCount(workerCount: threadCount)
  }

  /// Memory in which weights are converted that files have in another form.
  private var conversionByteCount: Int {
    max(
      tensors.experts.finishByteCount, tensors.lowExperts?.finishByteCount ?? 0,
      DenseWeights.conversionByteCount(tensors))
  }

  /// Eight bytes for each page of four KiB: huge pages need fewer, but are not certain. Tables of
  /// memory that was lent stay when it is given back.
  private func kernelByteCount(_ total: Int) -> Int {
    min(total, fullByteCount) / 512 + loanByteCount / 512
  }

  /// More than this is never touched, whatever the budget.
  private var fullByteCount: Int {
    fixedRows().reduce(0) { $0 + $1.byteCount } + scratchByteCount(Self.chunkSizes[0])
      + PoolLayout(tensors.experts).fullByteCount
  }

  /// The least that experts can be given.
  private func expertFloorByteCount(_ pool: PoolLayout) -> Int {
    options.placement == .resident
      ? ResidentExperts.byteCount(tensors.experts)
      : AlignedBuffer.mappedByteCount(for: pool.floorByteCount)
  }

  private func chunkTokenCount(fixedByteCount: Int, floor: Int) -> Int {
    if let chosen = options.chunkTokenCount { return min(chosen, contextLength) }
    let sizes = Self.chunkSizes.filter { $0 < contextLength * 2 }.map { min($0, contextLength) }
    let rest = budget.byteCount - fixedByteCount - kernelByteCount(budget.byteCount)
    return sizes.first { size in
      let scratch = scratchByteCount(size)
      let share = size > Self.modestSize ? Self.scratchShare : Self.modestShare
      return Double(scratch) <= share * Double(rest) && scratch + floor <= rest
    } ?? sizes.last ?? contextLength
  }

  private func smallestBudget(fixedByteCount: Int, floor: Int) -> Int {
    let chunk = options.chunkTokenCount ?? Self.chunkSizes[Self.chunkSizes.count - 1]
    let need = fixedByteCount + scratchByteCount(min(chunk, contextLength)) + floor
    return need + need / 511 + loanByteCount / 511 + Self.startVariationByteCount
  }

  private var stateNote: String {
    let positions = "\(contextLength) positions in \(options.kvCacheType.rawValue)"
    let byteCount = states.stateByteCountPerSequence
    return byteCount == 0 ? positions : positions + ", twice \(ByteSize(byteCount)) of state"
  }

  private var states: StateLayout {
    StateLayout(
      description, contextLength: contextLength, sequenceCount: options.sequenceCount,
      type: options.kvCacheType.kvType)
  }

  /// What the KV cache does not hold while its first positions are all there are.
  private var loanByteCount: Int {
    let states = states
    return states.pageByteCount - states.heldByteCount(positions: 1)
  }

  private struct Experts {
    var row: MemoryPlan.Row
    var poolByteCount: Int
    var placement: ExpertPlacement
    var slotCount: Int
    var loanByteCount = 0
    var lentSlotCount = 0
  }

  private func expertsRow(pool: PoolLayout, available: Int) throws(EngineError) -> Experts {
    let residentByteCount = ResidentExperts.byteCount(tensors.experts)
    let wantsResident =
      options.placement == .resident
      || (options.placement == .automatic && options.expertPool == nil
        && residentByteCount <= available)
    if wantsResident {
      let row = MemoryPlan.Row(
        name: "experts", byteCount: residentByteCount,
        basis: options.placement == .resident ? .user : .derived,
        note: "all \(tensors.experts.expertCount) resident")
      return Experts(
        row: row, poolByteCount: residentByteCount, placement: .resident,
        slotCount: tensors.experts.expertCount)
    }
    var wanted = pool.fullByteCount
    if let cap = options.expertPool {
      wanted = cap.byteCount(of: pool.fullByteCount)
      guard wanted >= pool.floorByteCount else {
        let percent = 100 * Double(pool.floorByteCount) / Double(pool.fullByteCount)
        throw .invalidOption(
          name: "the expert pool",
          wanted:
            "at least \(ByteSize(pool.floorByteCount)) or \((percent * 100).rounded(.up) / 100)%, "
            + "the experts of one step of this model", found: cap.description)
      }
    }
    // Large pools are mapped in units of 2 MiB, so only whole units of the rest can be used.
    let unit = AlignedBuffer.hugePageByteCount
    let usable = available >= unit ? available / unit * unit : max(0, available)
    let poolByteCount = max(min(wanted, usable), pool.floorByteCount)
    let slots =
      pool.slots(
        byteCount: poolByteCount, stagingSlotCount: options.usedStagingSlotCount,
        loanByteCount: options.expertPool == nil ? loanByteCount : 0)
      ?? PoolSlots(cached: [], staging: [])
    let byteCount = pool.byteCount(slots)
    let slotCount = slots.cached.reduce(0, +)
    let lent = slots.lent.isEmpty ? "" : "\(slots.lent.count) more in lent memory, "
    let share = 100 * slotCount / max(1, tensors.experts.expertCount)
    let row = MemoryPlan.Row(
      name: "expert pool", byteCount: AlignedBuffer.mappedByteCount(for: byteCount),
      basis: options.expertPool == nil ? .derived : .user,
      note: "\(slotCount) of \(tensors.experts.expertCount) experts (\(share)%), \(lent)"
        + "\(slots.staging.reduce(0, +)) read ahead")
    return Experts(
      row: row, poolByteCount: poolByteCount, placement: .offloaded, slotCount: slotCount,
      loanByteCount: slots.lent.isEmpty ? 0 : loanByteCount, lentSlotCount: slots.lent.count)
  }
}

extension KVCacheType {
  var kvType: KVType {
    switch self {
    case .f16: .f16
    case .f32: .f32
    case .bf16: .bf16
    case .q8_0: .q8_0
    case .q4_0: .q4_0
    }
  }
}
