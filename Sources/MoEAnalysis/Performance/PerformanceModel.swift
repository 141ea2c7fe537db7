package import MoECore

/// The machine's resource that a phase waits for.
package enum BindingResource: String, Sendable, Encodable {
  /// The processors' arithmetic and the fixed cost of operations.
  case compute
  /// Reading weights, keys and values from memory.
  case memory
  /// Reading missed experts from disk.
  case disk
}

/// What the model says of one phase, prefill or decode. Seconds are for the whole phase: the
/// prompt, or one token.
package struct PhaseEstimate: Sendable, Equatable {
  package var tokenCount: Int
  package var seconds: Double
  /// What the processors are busy for, were there no disk.
  package var computeSeconds: Double
  /// What reading the touched weights, keys and values from memory takes at the least; part of
  /// `computeSeconds`.
  package var memorySeconds: Double
  /// What the disk is busy for.
  package var diskSeconds: Double
  package var readByteCount: Double
  package var hitRate: Double

  package var tokensPerSecond: Double { seconds > 0 ? Double(tokenCount) / seconds : 0 }
  /// What would remain if all reads overlapped with computing.
  package var overlappedSeconds: Double { max(computeSeconds, diskSeconds) }

  /// The resource that is busy longest. Memory binds where reading it takes most of the computing
  /// time.
  package var binding: BindingResource {
    if diskSeconds > computeSeconds { return .disk }
    return memorySeconds >= PerformanceModel.memoryBoundShare * computeSeconds ? .memory : .compute
  }
}

/// Predicts speed from what the parts of a run cost, in the spirit of MoE-Lens (arXiv 2504.09345,
/// section 5): the throughput of a machine is the least of what each resource allows, and the
/// moving of weights is spread over the tokens that use them.
///
/// A layer is modelled as the engine runs it. Its dense part and its router come first; then its
/// missing experts are asked for and those that are there are computed meanwhile; the last expert
/// to arrive is computed alone. A prompt's chunks are followed expert by expert.
/// `PerformanceModel.md` has the formulas.
package struct PerformanceModel: Sendable {
  package let costs: RunCosts
  package let routing: RoutingEstimate
  /// The part of a layer's dense work during which reads for its experts are already under way; 0
  /// where reads start after the layer's router has run.
  package let overlapShare: Double

  /// What the engine does today: reads start after the router.
  package static let defaultOverlapShare = 0.0
  /// From which part of the computing time on reading memory is said to bind.
  package static let memoryBoundShare = 0.7

  package init(
    costs: RunCosts, routing: RoutingEstimate,
    overlapShare: Double = PerformanceModel.defaultOverlapShare
  ) {
    precondition(overlapShare >= 0 && overlapShare <= 1)
    self.costs = costs
    self.routing = routing
    self.overlapShare = overlapShare
  }

  /// One token at a position of the sequence.
  package func decode(position: Int) -> PhaseEstimate {
    var estimate = PhaseEstimate(
      tokenCount: 1, seconds: costs.outputSeconds + costs.samplingSeconds,
      computeSeconds: costs.outputSeconds + costs.samplingSeconds,
      memorySeconds: Double(costs.outputByteCount) / costs.memoryBytesPerSecond, diskSeconds: 0,
      readByteCount: 0, hitRate: 1)
    var missCount = 0.0
    for layer in costs.layers {
      let distribution = missDistribution(layer)
      let attended = layer.attended(position: position)
      let attention = costs.attentionSecondsPerPosition * Double(attended)
      let dense = layer.dense.seconds(1) + attention
      for (misses, probability) in distribution.enumerated() where probability > 0 {
        let step = decodeStep(layer, dense: dense, missCount: misses)
        estimate.seconds += probability * step.seconds
        estimate.diskSeconds += probability * step.diskSeconds
        missCount += probability * Double(misses)
        estimate.readByteCount += probability * Double(misses * layer.expertByteCount)
      }
      let expertCount = layer.sizeClass == nil ? 0 : Double(costs.expertsPerToken)
      estimate.computeSeconds += dense + expertCount * layer.expert.seconds(1)
      estimate.memorySeconds +=
        (Double(layer.denseByteCount) + expertCount * Double(layer.expertByteCount)
          + Double(attended * layer.keyValueByteCount)) / costs.memoryBytesPerSecond
    }
    let requestCount = Double(costs.routedLayerCount * costs.expertsPerToken)
    estimate.hitRate = requestCount > 0 ? 1 - missCount / requestCount : 1
    return estimate
  }

  /// One token's step on one layer with so many misses: all that is computed before the last expert
  /// arrives overlaps with the reads.
  func decodeStep(
    _ layer: RunCosts.Layer, dense: Double, missCount: Int
  ) -> (seconds: Double, diskSeconds: Double) {
    decodeStep(
      layer, dense: dense, expertCount: Double(costs.expertsPerToken),
      expertSeconds: layer.expert.seconds(1), missCount: missCount)
  }

  /// The same for rows that take some number of experts between them, each for its share of them.
  func decodeStep(
    _ layer: RunCosts.Layer, dense: Double, expertCount: Double, expertSeconds expert: Double,
    missCount: Int
  ) -> (seconds: Double, diskSeconds: Double) {
    let experts = expertCount * expert
    guard missCount > 0 else { return (dense + experts, 0) }
    let disk = costs.disk.seconds(byteCount: Double(missCount * layer.expertByteCount))
    let early = overlapShare * dense
    // Two operations more than where all experts are computed side by side: one for gate and up,
    // one for down.
    let last = expert + layer.finishSeconds + 2 * costs.forkSeconds
    let finishing = Double(missCount - 1) * layer.finishSeconds
    let during = together(computing: early + experts - expert + finishing, reading: disk)
    return (dense - early + during + last, disk)
  }

  /// Computing and reading that begin together. While reads are under way computing is slower by
  /// the disk's `computeSlowdown`; what is left when they are done goes on at full speed.
  private func together(computing: Double, reading: Double) -> Double {
    max(reading, computing + reading * (1 - 1 / costs.disk.computeSlowdown))
  }

  /// Misses of a step; none where the layer has no experts, or its slots hold them all.
  private func missDistribution(_ layer: RunCosts.Layer) -> [Double] {
    holdsAll(layer) ? [1] : routing.missDistribution
  }
}
