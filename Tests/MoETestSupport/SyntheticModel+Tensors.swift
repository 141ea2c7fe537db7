import MoECore
import MoEExperts
import MoEFormats
import MoEModel

/// The tensors of a synthetic model, in file order.
struct SyntheticTensors {
  private let model: SyntheticModel

  init(_ model: SyntheticModel) { self.model = model }

  /// What a tensor needs besides its name.
  private struct Plan {
    let name: String
    let shape: [Int]
    var type = GGMLType.f32
    var mean: Float = 0
    var deviation: Float
    var elementCount: Int { shape.reduce(1, *) }
  }

  /// Distributions that tensors may share a pool of.
  private struct Distribution: Hashable {
    let type: GGMLType
    let mean: Float
    let deviation: Float
  }

  /// Without weights the tensors have names and sizes only and cannot be written.
  func tensors(withWeights: Bool) throws -> [GGUFWriter.Tensor] {
    var weights: [Distribution: GaussianWeights] = [:]
    return try plans().enumerated().map { index, plan in
      guard withWeights else { return GGUFWriter.Tensor(plan.name, plan.type, plan.shape) { _ in } }
      let pooled = plan.elementCount > GaussianWeights.poolElementCount
      let source: GaussianWeights
      let key = Distribution(type: plan.type, mean: plan.mean, deviation: plan.deviation)
      if pooled, let known = weights[key] {
        source = known
      } else {
        source = GaussianWeights(
          plan.type, mean: plan.mean, deviation: plan.deviation, pooled: pooled,
          seed: seed(index, stream: 1))
        if pooled { weights[key] = source }
      }
      let seed = seed(index, stream: 2)
      return GGUFWriter.Tensor(plan.name, plan.type, plan.shape) { emit in
        try source.produce(elementCount: plan.elementCount, seed: seed, emit: emit)
      }
    }
  }

  private func seed(_ index: Int, stream: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: model.seed &* 0x1_0000 &+ UInt64(index) &* 4 &+ stream)
    return generator.next()
  }

  private func plans() throws -> [Plan] {
    let description = try model.description()
    let ends = description.endTensors.rows
    var plans = ends.filter { $0.role == .embedding }.map { plan($0, description) }
    for (number, layer) in description.layers.enumerated() {
      plans += layer.tensors(number, description).rows.filter(isWritten).map {
        plan($0, description)
      }
      if let routed = layer.feedForward?.routed {
        plans += experts(routed, layer: number, description)
      }
    }
    return plans
      + ends.filter { $0.role != .embedding && isWritten($0) }.map {
        plan($0, description)
      }
  }

  private func isWritten(_ row: TensorRow) -> Bool {
    let usual = ArchitectureRegistry.entry(named: model.architecture.rawValue)?.usualTensors ?? []
    return !row.isOptional || row.role == .output || usual.contains(row.role)
  }

  /// What one block may add to the residual stream: 0.64 of its energy over all 2 * layers blocks.
  private func blockGain(_ description: ModelDescription) -> Float {
    0.8 / Float(2 * description.layerCount).squareRoot()
  }

  private func plan(_ row: TensorRow, _ description: ModelDescription) -> Plan {
    guard case .matrix(_, let columns) = row.shape else { return vectorPlan(row) }
    let unit = 1 / Float(columns).squareRoot()
    var plan = Plan(
      name: row.name, shape: row.dimensions, type: model.formats.attention, deviation: unit)
    switch row.role {
    case .embedding: (plan.type, plan.deviation) = (model.formats.embedding, 1)
    case .output: (plan.type, plan.deviation) = (model.formats.output, 2.5 * unit)
    case .router: (plan.type, plan.deviation) = (.f32, 1.5 * unit)
    case .sharedExpertGate: plan.type = .f32
    // Averaging over positions shrinks the values, so this matrix is larger by two.
    case .attentionOutput: plan.deviation = 2 * blockGain(description) * unit
    // It reads unit Gaussians times silu of such.
    case .recurrenceOutput: plan.deviation = 2 * blockGain(description) * unit
    // silu(gate) * up of unit Gaussians has a root mean square of 0.6.
    case .denseDown: plan.deviation = blockGain(description) / 0.6 * unit
    default: break
    }
    // As files have it where a format's blocks do not divide rows.
    for type in [GGMLType.q8_0, .f32] where columns % plan.type.blockElementCount != 0 {
      plan.type = type
    }
    return plan
  }

  private func vectorPlan(_ row: TensorRow) -> Plan {
    var plan = Plan(name: row.name, shape: row.dimensions, deviation: 0.2)
    switch row.role {
    // Of every memory something is left, and less from step to step.
    case .decayRate: (plan.mean, plan.deviation) = (-0.5, 0.05)
    case .convolution: plan.deviation = 0.5
    // Norms are near one; biases, sinks and the like near zero.
    default: if row.isFactor { (plan.mean, plan.deviation) = (1, 0.05) }
    }
    return plan
  }

  private func experts(
    _ routed: RoutedExpertsDescription, layer: Int, _ description: ModelDescription
  ) -> [Plan] {
    let router = routed.router
    // Routing weights are some 1 / expertsPerToken each; where they are not normalised, their sum
    // is some 0.6.
    let routingSum: Float = router.renormalizesWeights ? 1 : 0.6
    let down =
      blockGain(description) * Float(router.expertsPerToken).squareRoot()
      / (0.6 * routingSum * Float(routed.width).squareRoot())
    return routed.partRows(hiddenSize: description.hiddenSize).map { row in
      let name = TensorTable.prefix(layer: layer) + row.name
      guard row.role.isMatrix else {
        return Plan(name: name, shape: [row.columnCount, router.expertCount], deviation: 0.1)
      }
      let type =
        switch row.role {
        case .down: model.formats.expertDown
        case .up: model.formats.expertUp
        default: model.formats.expertGate
        }
      return Plan(
        name: name, shape: [row.columnCount, row.rowCount, router.expertCount], type: type,
        deviation: row.role == .down ? down : 1 / Float(row.columnCount).squareRoot())
    }
  }
}
