package import MoECore

extension PerformanceModel {
  /// A step that has one row of each of several texts, all at the same position of theirs.
  ///
  /// `tokenCount` is the rows', and seconds are the step's. Each expert that any row takes is asked
  /// for once: they are as many as `union` says.
  ///
  /// - Parameter missShare: The share of them that are not in memory; of a single row the routing's
  ///   own figures count.
  package func decode(
    rowCount: Int, position: Int, union: RowUnion, missShare: Double
  ) -> PhaseEstimate {
    if rowCount == 1 { return decode(position: position) }
    let rows = Double(rowCount)
    let output = costs.output.seconds(rows) + rows * costs.samplingSeconds
    var estimate = PhaseEstimate(
      tokenCount: rowCount, seconds: output, computeSeconds: output,
      memorySeconds: Double(costs.outputByteCount) / costs.memoryBytesPerSecond, diskSeconds: 0,
      readByteCount: 0, hitRate: 1)
    let expertCount = union.expertCount(rowCount: rowCount)
    var (missCount, requestCount) = (0.0, 0.0)
    for layer in costs.layers {
      let attended = layer.attended(position: position)
      let dense =
        layer.dense.seconds(rows) + rows * costs.attentionSecondsPerPosition * Double(attended)
      let wanted = layer.sizeClass == nil ? 0 : expertCount
      let part = RowPart(
        dense: dense, expertCount: wanted,
        expertSeconds: wanted > 0
          ? layer.expert.seconds(rows * Double(costs.expertsPerToken) / wanted) : 0,
        missCount: holdsAll(layer) ? 0 : wanted * missShare)
      let step = step(layer, part)
      estimate.seconds += step.seconds
      estimate.diskSeconds += step.diskSeconds
      estimate.computeSeconds += dense + part.expertsSeconds
      estimate.readByteCount += part.missCount * Double(layer.expertByteCount)
      estimate.memorySeconds +=
        (Double(layer.denseByteCount) + wanted * Double(layer.expertByteCount)
          + rows * Double(attended * layer.keyValueByteCount)) / costs.memoryBytesPerSecond
      missCount += part.missCount
      requestCount += wanted
    }
    estimate.hitRate = requestCount > 0 ? 1 - missCount / requestCount : 1
    return estimate
  }

  /// What a step does of a layer; counts are expectations.
  private struct RowPart {
    let dense: Double
    let expertCount: Double
    /// Of one expert, for the rows that take it.
    let expertSeconds: Double
    let missCount: Double

    var expertsSeconds: Double { expertCount * expertSeconds }
  }

  /// The expectation over numbers of misses: each expert is missed by itself, and a count that is
  /// not whole is that of the two beside it, each in its part of the steps.
  private func step(
    _ layer: RunCosts.Layer, _ part: RowPart
  ) -> (seconds: Double, diskSeconds: Double) {
    guard part.missCount > 0 else { return (part.dense + part.expertsSeconds, 0) }
    let share = min(1, part.missCount / part.expertCount)
    let whole = Int(part.expertCount)
    let fraction = part.expertCount - Double(whole)
    var (seconds, disk) = (0.0, 0.0)
    for (count, weight) in [(whole, 1 - fraction), (whole + 1, fraction)] where weight > 0 {
      let distribution = RoutingEstimate.binomial(count, probability: share)
      for (misses, probability) in distribution.enumerated() where probability > 0 {
        let step = decodeStep(
          layer, dense: part.dense, expertCount: part.expertCount,
          expertSeconds: part.expertSeconds, missCount: misses)
        seconds += weight * probability * step.seconds
        disk += weight * probability * step.diskSeconds
      }
    }
    return (seconds, disk)
  }

  /// Whether a layer never misses.
  func holdsAll(_ layer: RunCosts.Layer) -> Bool {
    guard let sizeClass = layer.sizeClass else { return true }
    return costs.isResident || costs.slotsPerLayer(sizeClass) >= Double(costs.expertCount)
  }
}

extension RoutingEstimate {
  /// What becomes of the hit rate where a step takes some number of a layer's experts, as the rows
  /// of several texts do between them.
  ///
  /// It falls in proportion to what the step takes of those that one token does not, down to the
  /// pool's share of the experts to the power of 1.5 where a step takes all of them: what is
  /// evicted for one expert is asked for again in the same round. Read off replays of recorded
  /// traces (`RowReplayTests` holds it against them: 0.05 off on average, 0.17 at the most).
  package func hitRate(expertCount: Double, in costs: RunCosts) -> Double {
    let (all, own) = (Double(costs.expertCount), Double(costs.expertsPerToken))
    guard all > own, !costs.isResident else { return hitRate }
    let taken = min(max((expertCount - own) / (all - own), 0), 1)
    let share = min(1, costs.meanSlotsPerLayer / all)
    let last = min(hitRate, share * share.squareRoot())
    return hitRate + (last - hitRate) * taken
  }
}
