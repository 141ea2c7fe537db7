import MoECore
import MoEExperts
import MoEFormats
import MoEModel

/// The tensors that a description reads, with random weights that leave activations near one.
struct SyntheticTensors {
  /// How much larger the residual stream is at its end than an embedding: what the blocks add has
  /// 0.64 of an embedding's energy.
  static let streamGrowth = Float(1 + 0.64).squareRoot()

  private let description: ModelDescription
  private let formats: SyntheticModel.Formats
  private let isWritten: (TensorRow) -> Bool

  /// What a tensor needs besides its name.
  struct Plan {
    let name: String
    var shape: [Int]
    var type = GGMLType.f32
    var mean: Float = 0
    var deviation: Float
    var elementCount: Int { shape.reduce(1, *) }
  }

  /// Distributions that tensors may share a pool of.
  struct Distribution: Hashable {
    let type: GGMLType
    let mean: Float
    let deviation: Float
  }

  /// Of all tensors that a description reads, in file order.
  static func plans(
    of description: ModelDescription,
    formats: SyntheticModel.Formats = SyntheticModel.Formats(.f32),
    isWritten: @escaping (TensorRow) -> Bool = { _ in true }
  ) -> [Plan] {
    SyntheticTensors(description: description, formats: formats, isWritten: isWritten).plans()
  }

  /// A tensor of random weights. Large ones of one distribution share a pool of them in `weights`.
  static func tensor(
    _ plan: Plan, _ index: Int, seed: UInt64, _ weights: inout [Distribution: RandomWeights]
  ) -> GGUFWriter.Tensor {
    func seeded(stream: UInt64) -> UInt64 {
      var generator = SeededGenerator(seed: seed &* 0x1_0000 &+ UInt64(index) &* 4 &+ stream)
      return generator.next()
    }
    let pooled = plan.elementCount > RandomWeights.poolElementCount
    let source: RandomWeights
    let key = Distribution(type: plan.type, mean: plan.mean, deviation: plan.deviation)
    if pooled, let known = weights[key] {
      source = known
    } else {
      source = RandomWeights(
        plan.type, mean: plan.mean, deviation: plan.deviation, pooled: pooled,
        seed: seeded(stream: 1))
      if pooled { weights[key] = source }
    }
    let seed = seeded(stream: 2)
    return GGUFWriter.Tensor(plan.name, plan.type, plan.shape) { emit in
      try source.produce(elementCount: plan.elementCount, seed: seed, emit: emit)
    }
  }

  private func plans() -> [Plan] {
    let ends = description.endTensors.rows
    var plans = ends.filter { $0.role == .embedding }.map(plan)
    for (number, layer) in description.layers.enumerated() {
      plans += layer.tensors(number, description).rows.filter(isWritten).map(plan)
      if let routed = layer.feedForward?.routed {
        plans += experts(routed, layer: number)
      }
    }
    return plans
      + ends.filter { $0.role != .embedding && isWritten($0) }.map(plan)
  }

  /// What one block may add to the residual stream: 0.64 of its energy over all 2 * layers blocks.
  private var blockGain: Float { 0.8 / Float(2 * description.layerCount).squareRoot() }

  private func plan(_ row: TensorRow) -> Plan {
    guard case .matrix(_, let columns) = row.shape else { return vectorPlan(row) }
    let unit = 1 / Float(columns).squareRoot()
    var plan = Plan(
      name: row.name, shape: row.dimensions, type: formats.attention, deviation: unit)
    switch row.role {
    case .embedding: (plan.type, plan.deviation) = (formats.embedding, 1)
    case .output: (plan.type, plan.deviation) = (formats.output, 2.5 * unit)
    case .router: (plan.type, plan.deviation) = (.f32, 1.5 * unit)
    case .sharedExpertGate: plan.type = .f32
    // Averaging over positions shrinks the values, so this matrix is larger by two.
    case .attentionOutput: plan.deviation = 2 * blockGain * unit
    // It reads unit Gaussians times silu of such.
    case .recurrenceOutput: plan.deviation = 2 * blockGain * unit
    // silu(gate) * up of unit Gaussians has a root mean square of 0.6.
    case .denseDown: plan.deviation = blockGain / 0.6 * unit
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
    // What a block adds has the size that the norm after it gives it.
    case .mixerPostNorm, .feedForwardPostNorm:
      (plan.mean, plan.deviation) = (blockGain, 0.05 * blockGain)
    // Norms are near one; biases, sinks and the like near zero.
    default: if row.isFactor { (plan.mean, plan.deviation) = (1, 0.05) }
    }
    return plan
  }

  private func experts(
    _ routed: RoutedExpertsDescription, layer: Int
  ) -> [Plan] {
    let router = routed.router
    // Routing weights are some 1 / expertsPerToken each; where they are not normalised, their sum
    // is some 0.6.
    let routingSum: Float = router.renormalizesWeights ? 1 : 0.6
    let down =
      blockGain * Float(router.expertsPerToken).squareRoot()
      / (0.6 * routingSum * Float(routed.width).squareRoot())
    return routed.partRows(hiddenSize: description.hiddenSize).map { row in
      let name = TensorTable.prefix(layer: layer) + row.name
      guard row.role.isMatrix else {
        return Plan(name: name, shape: [row.columnCount, router.expertCount], deviation: 0.1)
      }
      let type =
        switch row.role {
        case .down: formats.expertDown
        case .up: formats.expertUp
        default: formats.expertGate
        }
      return Plan(
        name: name, shape: [row.columnCount, row.rowCount, router.expertCount], type: type,
        deviation: row.role == .down ? down : 1 / Float(row.columnCount).squareRoot())
    }
  }
}

extension SyntheticTensors.Plan {
  /// Of a tensor that no block reads.
  init(unread tensor: TensorDescriptor) {
    let isVector = tensor.shape.count < 2
    self.init(
      name: tensor.name, shape: tensor.shape, mean: tensor.name.hasSuffix("norm.weight") ? 1 : 0,
      deviation: isVector ? 0.05 : 1 / Float(tensor.shape[0]).squareRoot())
  }
}
