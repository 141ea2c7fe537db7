package import MoECache
package import MoECore

/// What the engine's cache makes of steps with one row of each of several texts: rows of places of
/// a trace that lie as far apart as they can stand for them, and move on together.
package struct RowReplay: Sendable, Equatable {
  /// Hits over requests, an expert that several rows take being one, once the pool is warm.
  package let hitRate: Double

  /// Rows that are replayed at most, and steps at least; the second half of the steps counts.
  private static let (rowCountMax, stepCountLeast) = (1 << 14, 128)

  /// Nil where the trace is too short for so many rows.
  ///
  /// - Parameters:
  ///   - geometry: One layer with experts for each of the trace's.
  ///   - ownSlotCounts: By class, the slots that are not in lent memory.
  package init?(
    _ trace: RoutingTrace, rowCount: Int, geometry: CacheGeometry, ownSlotCounts: [Int],
    policy: PolicyEntry
  ) {
    let distance = trace.tokenCount / rowCount
    guard distance >= RowUnion.leastDistance else { return nil }
    var replay = PassReplay(geometry: geometry, policy: policy, ownSlotCounts: ownSlotCounts)
    let runs = (0..<rowCount).map { SequenceRun(SequenceID(rawValue: $0), rowCount: 1) }
    for row in 0..<rowCount { replay.beginSequence(SequenceID(rawValue: row)) }
    let stepCount = min(distance, max(Self.stepCountLeast, Self.rowCountMax / rowCount))
    var counts = PassReplay.Counts()
    for number in 0..<stepCount {
      replay.beginPass(.decode, runs)
      for (place, layer) in geometry.expertLayers.enumerated() {
        var step = RoutedStep(
          trace, tokens: (0..<rowCount).map { number + $0 * distance }, layer: place, runs: runs)
        let found = replay.run(&step, layer: layer)
        if number >= stepCount / 2 { counts += found }
      }
    }
    hitRate = Double(counts.hitCount) / Double(max(1, counts.requestCount))
  }
}

extension RowReplay {
  /// The same in the pool of a run.
  package init?(_ trace: RoutingTrace, rowCount: Int, costs: RunCosts, policy: String) {
    guard !costs.isResident, trace.expertsPerToken == costs.expertsPerToken else { return nil }
    self.init(
      trace, rowCount: rowCount,
      geometry: CacheGeometry(
        layers: costs.layerGeometries, slotCounts: costs.slotCounts, sequenceCountMax: rowCount),
      ownSlotCounts: costs.ownSlotCounts,
      policy: PolicyRegistry.entry(named: policy) ?? PolicyRegistry.defaultEntry)
  }
}
