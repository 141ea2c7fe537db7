package import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// Whether a plan measures the machine.
package enum ProbeMode: String, Sendable, CaseIterable {
  /// Anew, and the result is kept.
  case fresh
  /// Only where no result for this machine, file system and shape of model is kept.
  case cached
  /// Never.
  case none
}

/// A plan with what its parts cost on this machine, and with what they would cost were the machine
/// or the model another: what the performance model works on.
package struct PlannedCosts: Sendable {
  /// A measured figure, for reports.
  package struct Figure: Sendable {
    package let name: String
    package let value: Double
    package let unit: String
  }

  package let plan: RunPlan
  /// Tokens of the prompt that speeds are asked for, and the position of decoding.
  package let promptTokenCount: Int
  package let costs: RunCosts
  /// With a budget larger by a quarter; nil where it is no help, all experts being resident.
  package let moreMemory: Scenario?
  /// With the next smaller format for all weights; nil where there are no kernels for one.
  package let fewerBits: Scenario?
  /// What was measured.
  package let figures: [Figure]
  /// When, and whether the result could be kept.
  package let note: String

  /// A run that differs from the planned one.
  package struct Scenario: Sendable {
    package let name: String
    package let costs: RunCosts
  }
}

extension Engine {
  /// The plan of a run and what its parts cost, measured in at most 10 seconds unless kept from
  /// before. Nil costs without a probe, or where the budget is too small to run at all.
  ///
  /// - Parameter promptTokenCount: Nil: 512. At most the context counts.
  package static func plannedCosts(
    modelAt path: String, options: EngineOptions, promptTokenCount: Int?, probe: ProbeMode,
    environment: [String: String]
  ) throws(EngineError) -> (plan: RunPlan, planned: PlannedCosts?) {
    let prepared = try PreparedRun(path: path, options: options)
    let plan = prepared.runPlan(storeReport: try prepared.makeReader().report)
    let position = min(promptTokenCount ?? 512, plan.memory.contextLength)
    guard probe != .none, prepared.plan.fits else { return (plan, nil) }
    let request = ProbeRequest(prepared)
    let cache = ResultCache<ProbeRequest, ProbeResult>(prefix: "probe", environment: environment)
    if probe == .cached, let result = cache.result(for: request), result.suits(request) {
      let note = ["measured before, on this machine", result.warning]
      return (plan, try prepared.plannedCosts(plan, at: position, probe: result, note: note))
    }
    let result = try MachineProbe(prepared, request: request).measure()
    let tenths = Int((result.seconds * 10).rounded())
    let note = [
      "measured now, in \(tenths / 10).\(tenths % 10) s", result.warning,
      cache.store(result, for: request),
    ]
    return (plan, try prepared.plannedCosts(plan, at: position, probe: result, note: note))
  }
}

extension PreparedRun {
  func plannedCosts(
    _ runPlan: RunPlan, at position: Int, probe: ProbeResult, note: [String?]
  ) throws(EngineError) -> PlannedCosts {
    var moreMemory: PlannedCosts.Scenario?
    if plan.placement != .resident {
      let larger = try self.plan(
        tensors: header.tensors, budgetByteCount: plan.budgetByteCount / 4 * 5)
      moreMemory = PlannedCosts.Scenario(
        name: "memory +25 % (\(ByteSize(larger.budgetByteCount)))",
        costs: costs(header.tensors, plan: larger, at: position, probe: probe))
    }
    var fewerBits: PlannedCosts.Scenario?
    if let format = header.tensors.fewerBitsFormat {
      let tensors = header.tensors.limited(to: format)
      let smaller = try self.plan(tensors: tensors, budgetByteCount: plan.budgetByteCount)
      fewerBits = PlannedCosts.Scenario(
        name: "weights in \(format.name)",
        costs: costs(tensors, plan: smaller, at: position, probe: probe))
    }
    return PlannedCosts(
      plan: runPlan, promptTokenCount: position,
      costs: costs(header.tensors, plan: plan, at: position, probe: probe),
      moreMemory: moreMemory, fewerBits: fewerBits, figures: probe.figures,
      note: note.compactMap(\.self).joined(separator: "; "))
  }

  /// Puts measured parts together as the layers of a model need them, for so many sequences that
  /// have come to `position`.
  func costs(
    _ tensors: ModelTensors, plan: MemoryPlan, at position: Int, sequences: Int = 1,
    probe: ProbeResult
  ) -> RunCosts {
    func cost(_ shape: ProbeShape) -> CostCurve { probe.cost(of: shape) ?? .zero }
    let states = plan.stateLayout(header.description, type: options.kvCacheType.kvType)
    let pool = PoolLayout(tensors.experts)
    let layers = header.description.layers.indices.map { index in
      let (dense, experts) = (tensors.layers[index], tensors.experts.layers[index])
      return RunCosts.Layer(
        // What a layer takes beyond its products may be less than nothing, as they overlap; what is
        // left of a layer without its experts may not.
        dense: dense.matrices.reduce(probe.layerRest) { $0 + cost(ProbeShape($1)) }.notNegative,
        expert: experts.productShapes.reduce(.zero) { $0 + cost($1) },
        // A state is read and written by every step.
        denseByteCount: dense.byteCount + 2 * (states.states[index]?.state.byteCount ?? 0),
        expertByteCount: experts.storedByteCountPerExpert,
        finishSeconds: experts.records == nil
          ? 0 : probe.finishSecondsPerByte * Double(experts.slotByteCountPerExpert),
        sizeClass: pool.classOfLayer[index],
        keyValueByteCount: states.byteCountPerPosition(ofLayer: index),
        attendedPositionMax: states.locations[index].map { $0.attention.limits.positionMax } ?? 0)
    }
    let isResident = plan.placement == .resident
    let residentCounts = pool.classes.map(\.expertCount)
    let slots =
      isResident
      ? PoolSlots(cached: residentCounts, staging: residentCounts.map { _ in 0 })
      : pool.slots(
        byteCount: plan.poolByteCount, stagingSlotCount: options.usedStagingSlotCount,
        loanByteCount: plan.loanByteCount)
    func slotCounts(_ positions: Int) -> [Int] {
      let lent = loanByteCount(plan, positions: positions, sequences: sequences)
      return slots?.counts(loanByteCount: lent, in: pool) ?? []
    }
    let chunkStarts = stride(from: 0, to: position, by: plan.chunkTokenCount)
    // Without a disk to speak of, a miss is a copy within memory. A run reads while it
    // computes, so the lower of the two rates counts.
    let disk = probe.disk
    return RunCosts(
      layers: layers, slotCounts: slotCounts(position + 1), ownSlotCounts: slots?.cached ?? [],
      promptSlotCounts: chunkStarts.map {
        slotCounts(min($0 + plan.chunkTokenCount, position))
      }, expertCount: tensors.experts.expertCountMax,
      expertsPerToken: tensors.experts.expertsPerTokenMax, isResident: isResident,
      chunkTokenCount: plan.chunkTokenCount,
      attentionSecondsPerPosition: probe.attentionSecondsPerPosition,
      chunkAttentionSecondsPerPosition: probe.chunkAttentionSecondsPerPosition,
      output: tensors.output.map { cost(ProbeShape($0)) } ?? .zero,
      outputByteCount: tensors.output?.byteCount ?? 0,
      samplingSeconds: probe.samplingSeconds,
      forkSeconds: probe.forkSeconds, memoryBytesPerSecond: probe.memoryBytesPerSecond,
      disk: RunCosts.Disk(
        latencySeconds: disk?.latencySeconds ?? 0,
        bytesPerSecond: disk.map { min($0.bytesPerSecond, $0.busyBytesPerSecond) }
          ?? probe.memoryBytesPerSecond,
        computeSlowdown: disk?.computeSlowdown ?? 1,
        chunkComputeSlowdown: disk?.chunkComputeSlowdown ?? 1,
        chunkRateShare: disk.map {
          min($0.bytesPerSecond, $0.chunkBytesPerSecond)
            / min($0.bytesPerSecond, $0.busyBytesPerSecond)
        } ?? 1))
  }
}

extension PreparedRun {
  /// What the KV cache still lends to the expert pool when it holds so many positions of each of so
  /// many sequences.
  private func loanByteCount(_ plan: MemoryPlan, positions: Int, sequences: Int) -> Int {
    let states = plan.stateLayout(header.description, type: options.kvCacheType.kvType)
    let held = states.heldByteCount(positions: positions, sequences: sequences)
    return min(plan.loanByteCount, states.pageByteCount - held)
  }
}

extension PoolSlots {
  /// (class): those that the cache decides over while so many bytes are lent.
  fileprivate func counts(loanByteCount: Int, in pool: PoolLayout) -> [Int] {
    var (counts, rest) = (cached, loanByteCount)
    for sizeClass in lent {
      rest -= pool.classes[sizeClass].slotByteCount
      if rest < 0 { break }
      counts[sizeClass] += 1
    }
    return counts
  }
}

extension ProbeResult {
  /// What people may want to know of it.
  var figures: [PlannedCosts.Figure] {
    var figures = [
      PlannedCosts.Figure(name: "memory", value: memoryBytesPerSecond * 1e-9, unit: "GB/s")
    ]
    for product in products {
      guard let format = QuantFormat(bundleType: product.shape.format) else { continue }
      let shape = product.shape
      let byteCount = shape.rowCount * format.rowByteCount(columnCount: shape.columnCount)
      let multiplications = Double(shape.rowCount * shape.columnCount)
      let name =
        "\(format.name) \(shape.rowCount)x\(shape.columnCount)"
        + (shape.isExpert ? " of an expert" : "")
      // Bytes of coded matrices are not told by their shape.
      let isCoded = format == .qmoe
      figures.append(
        PlannedCosts.Figure(
          name: name + ", 1 token",
          value: (isCoded ? multiplications : Double(byteCount)) / product.cost.seconds(1) * 1e-9,
          unit: isCoded ? "GMAC/s" : "GB/s"))
      figures.append(
        PlannedCosts.Figure(
          name: name + ", 64 tokens",
          value: 64 * multiplications / product.cost.seconds(64) * 1e-9, unit: "GMAC/s"))
    }
    figures.append(
      PlannedCosts.Figure(
        name: "rest of a layer, 1 token", value: layerRest.seconds(1) * 1e6, unit: "µs"))
    figures.append(
      PlannedCosts.Figure(
        name: "attention over 1000 positions, one layer",
        value: attentionSecondsPerPosition * 1e9, unit: "µs"))
    figures.append(PlannedCosts.Figure(name: "sampling", value: samplingSeconds * 1e6, unit: "µs"))
    figures.append(
      PlannedCosts.Figure(name: "hand-over to the team", value: forkSeconds * 1e6, unit: "µs"))
    if let disk {
      figures += [
        PlannedCosts.Figure(name: "disk", value: disk.bytesPerSecond * 1e-6, unit: "MB/s"),
        PlannedCosts.Figure(
          name: "disk while computing", value: disk.busyBytesPerSecond * 1e-6, unit: "MB/s"),
        PlannedCosts.Figure(
          name: "disk while computing 64 tokens", value: disk.chunkBytesPerSecond * 1e-6,
          unit: "MB/s"),
        PlannedCosts.Figure(
          name: "disk latency", value: disk.latencySeconds * 1e6, unit: "µs"),
        PlannedCosts.Figure(
          name: "computing while reading takes", value: disk.computeSlowdown, unit: "times"),
        PlannedCosts.Figure(
          name: "computing 64 tokens while reading takes", value: disk.chunkComputeSlowdown,
          unit: "times"),
      ]
    }
    return figures
  }
}
