package import MoECore

/// How many tokens per second a memory gives on a disk: the table that people come for.
package struct SpeedReport: Sendable, Equatable, Encodable {
  package enum Basis: String, Sendable, Encodable {
    /// The performance model, from a measurement of this machine.
    case model
    /// Nothing but reading the missed experts: no machine is faster.
    case diskBound = "disk_bound"
  }

  package struct Disk: Sendable, Equatable, Encodable {
    package var bytesPerSecond: Double
    /// This machine's own.
    package var isMeasured: Bool

    package init(bytesPerSecond: Double, isMeasured: Bool) {
      self.bytesPerSecond = bytesPerSecond
      self.isMeasured = isMeasured
    }
  }

  /// What a run measured in this memory, on this machine's disk.
  package struct Measurement: Sendable, Equatable, Encodable {
    package var tokensPerSecond: Double
    package var hitRate: Double

    package init(tokensPerSecond: Double, hitRate: Double) {
      self.tokensPerSecond = tokensPerSecond
      self.hitRate = hitRate
    }
  }

  package struct Row: Sendable, Equatable, Encodable {
    /// The whole process's memory; nil where only the pool's is known.
    package var memoryBytes: Int?
    package var poolBytes: Int
    package var slots: Int
    /// Slots over the model's experts.
    package var poolShare: Double
    /// All experts are in memory; nothing is read.
    package var isResident: Bool
    /// Of the engine's policy, and of the optimum; of a pool that is full.
    package var hitRate: Double
    package var optimalHitRate: Double?
    package var readBytesPerToken: Double
    /// (disk); nil where nothing limits it.
    package var tokensPerSecond: [Double?]
    /// (disk)
    package var binds: [BindingResource]
    package var measured: Measurement?
  }

  package let basis: Basis
  package private(set) var disks: [Disk]
  package private(set) var rows: [Row]
  /// Whether the performance model is one of this model (`layerByteCountMin`).
  package let predictionHolds: Bool
  package let policy: String
  /// Of decoding; nil where it plays no part.
  package let position: Int?
  package let contextLength: Int?
  /// What the figures rest on, in a few words.
  package let note: String

  /// A memory and what a run in it costs.
  package struct Setting: Sendable {
    package var memoryByteCount: Int
    package var poolByteCount: Int
    package var slotCount: Int
    package var expertCount: Int
    package var costs: RunCosts

    package init(
      memoryByteCount: Int, poolByteCount: Int, slotCount: Int, expertCount: Int, costs: RunCosts
    ) {
      self.memoryByteCount = memoryByteCount
      self.poolByteCount = poolByteCount
      self.slotCount = slotCount
      self.expertCount = expertCount
      self.costs = costs
    }
  }

  /// The performance model's predictions, with the hit rate of this very trace in each pool.
  ///
  /// - Parameters:
  ///   - trace: Checked against the model (`RoutingTrace.check`).
  ///   - diskRates: Besides this machine's own.
  package init(
    _ settings: [Setting], trace: RoutingTrace, name: String, policy: String,
    diskRates: [Double], position: Int, contextLength: Int, note: String
  ) {
    basis = .model
    predictionHolds = settings.allSatisfy { $0.costs.byteCountPerLayer >= Self.layerByteCountMin }
    self.policy = policy
    self.position = position
    self.contextLength = contextLength
    self.note = note
    let own = settings.first?.costs.disk.bytesPerSecond
    let disks =
      (own.map { [Disk(bytesPerSecond: $0, isMeasured: true)] } ?? [])
      + diskRates.map { Disk(bytesPerSecond: $0, isMeasured: false) }
    self.disks = disks
    rows = settings.map { setting in
      let routing = RoutingEstimate.replayed(
        trace, name: name, costs: setting.costs, policy: policy, withOptimum: true)
      let estimates = disks.map { disk in
        var costs = setting.costs
        costs.disk.bytesPerSecond = disk.bytesPerSecond
        return PerformanceModel(costs: costs, routing: routing).decode(position: position)
      }
      return Row(
        memoryBytes: setting.memoryByteCount, poolBytes: setting.poolByteCount,
        slots: setting.slotCount,
        poolShare: Double(setting.slotCount) / Double(max(1, setting.expertCount)),
        isResident: setting.costs.isResident,
        hitRate: estimates.first?.hitRate ?? routing.hitRate,
        optimalHitRate: routing.optimalHitRate,
        readBytesPerToken: estimates.first?.readByteCount ?? 0,
        tokensPerSecond: estimates.map(\.tokensPerSecond), binds: estimates.map(\.binding),
        measured: nil)
    }
  }

  /// What the disk alone allows, for a trace whose model is not at hand.
  ///
  /// - Parameter expertByteCount: Of one expert.
  package init(_ hitRates: HitRateReport, expertByteCount: Int, diskRates: [Double]) {
    basis = .diskBound
    predictionHolds = true
    policy = hitRates.defaultPolicy?.name ?? ""
    (position, contextLength) = (nil, nil)
    note = "reading missed experts alone; computing comes on top"
    let disks = diskRates.map { Disk(bytesPerSecond: $0, isMeasured: false) }
    self.disks = disks
    let perToken = Double(hitRates.layers * hitRates.expertsPerToken) * Double(expertByteCount)
    rows = hitRates.slotsPerLayer.enumerated().map { index, slots in
      let isResident = slots >= hitRates.expertsPerLayer
      let hitRate = hitRates.defaultPolicy?.hitRates[index] ?? 0
      let bytes = isResident ? 0 : (1 - hitRate) * perToken
      let poolBytes = Double(slots * hitRates.layers) * Double(expertByteCount)
      return Row(
        memoryBytes: nil, poolBytes: Int(min(poolBytes, 0x1p62)), slots: slots * hitRates.layers,
        poolShare: Double(slots) / Double(hitRates.expertsPerLayer), isResident: isResident,
        hitRate: isResident ? 1 : hitRate,
        optimalHitRate: isResident ? nil : hitRates.optimum?.hitRates[index],
        readBytesPerToken: bytes,
        tokensPerSecond: disks.map { bytes > 0 ? $0.bytesPerSecond / bytes : nil },
        binds: disks.map { _ in .disk }, measured: nil)
    }
  }

  /// The performance model adds up what products take. Where the weights that a token needs of a
  /// layer are fewer bytes, memory and caches deliver them in some tens of microseconds, which is
  /// what waking a thread takes: then hand-overs, which depend on what else the machine does,
  /// decide, and no sum of products predicts them.
  package static let layerByteCountMin = 1 << 20

  /// What may be shown: without predictions where they do not hold.
  package var shown: SpeedReport {
    guard !predictionHolds else { return self }
    var report = self
    report.disks = []
    for index in report.rows.indices {
      (report.rows[index].tokensPerSecond, report.rows[index].binds) = ([], [])
    }
    return report
  }

  package mutating func measure(_ measurement: Measurement, row: Int) {
    rows[row].measured = measurement
  }

  /// The row whose pool holds the share of the experts that is nearest to `share`.
  package func row(nearShare share: Double) -> Row? {
    rows.min { abs($0.poolShare - share) < abs($1.poolShare - share) }
  }
}

extension RunCosts {
  /// Weights that one token needs of the mean layer.
  fileprivate var byteCountPerLayer: Int {
    let dense = layers.reduce(0) { $0 + $1.denseByteCount }
    let experts = layers.reduce(0) { $0 + $1.expertByteCount } * expertsPerToken
    return (dense + experts) / max(1, layers.count)
  }
}

extension RoutingTrace {
  /// A part of the trace for replays: its selections, and where its sequences begin.
  package func sampled(requestCountMax: Int) throws(RoutingAnalysisError) -> RoutingTrace {
    let part = try RoutingSequences(self).sampled(requestCountMax: requestCountMax)
    guard part.tokenCount < tokenCount else { return self }
    return RoutingTrace(
      metadata: metadata, experts: part.experts,
      sequenceStarts: part.sequences.map(\.lowerBound))
  }
}
