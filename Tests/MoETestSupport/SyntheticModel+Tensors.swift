import MoECore
import MoEFormats

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
    let deviation: Float
    var elementCount: Int { shape.reduce(1, *) }
  }

  /// Distributions that tensors may share a pool of.
  private struct Distribution: Hashable {
    let type: GGMLType
    let mean: Float
    let deviation: Float
  }

  /// Without weights the tensors have names and sizes only and cannot be written.
  func tensors(withWeights: Bool) -> [GGUFWriter.Tensor] {
    var weights: [Distribution: GaussianWeights] = [:]
    return plans.enumerated().map { index, plan in
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

  private var plans: [Plan] {
    let (hidden, vocabulary) = (model.hiddenSize, model.vocabularySize)
    var plans = [
      Plan(
        name: "token_embd.weight", shape: [hidden, vocabulary], type: model.formats.embedding,
        deviation: 1)
    ]
    for layer in 0..<model.layerCount {
      plans += attention(prefix: "blk.\(layer).") + experts(prefix: "blk.\(layer).")
    }
    plans.append(norm("output_norm", hidden))
    plans.append(
      Plan(
        name: "output.weight", shape: [hidden, vocabulary], type: model.formats.output,
        deviation: 2.5 / Float(hidden).squareRoot()))
    return plans
  }

  /// What one block may add to the residual stream: 0.64 of its energy over all 2 * layers blocks.
  private var blockGain: Float { 0.8 / Float(2 * model.layerCount).squareRoot() }

  private func attention(prefix: String) -> [Plan] {
    let hidden = model.hiddenSize
    let queryWidth = model.headCount * model.headDimension
    let keyWidth = model.keyValueHeadCount * model.headDimension
    func matrix(_ name: String, _ columns: Int, _ rows: Int, _ deviation: Float) -> Plan {
      Plan(
        name: "\(prefix)\(name).weight", shape: [columns, rows], type: model.formats.attention,
        deviation: deviation)
    }
    let unit = 1 / Float(hidden).squareRoot()
    // OLMoE norms all heads together, Qwen3 each by itself.
    let normWidths =
      model.architecture == .olmoe
      ? (queryWidth, keyWidth) : (model.headDimension, model.headDimension)
    return [
      norm(prefix + "attn_norm", hidden),
      matrix("attn_q", hidden, queryWidth, unit),
      matrix("attn_k", hidden, keyWidth, unit),
      matrix("attn_v", hidden, keyWidth, unit),
      // Averaging over positions shrinks the values, so this matrix is larger by two.
      matrix("attn_output", queryWidth, hidden, 2 * blockGain / Float(queryWidth).squareRoot()),
      norm(prefix + "attn_q_norm", normWidths.0),
      norm(prefix + "attn_k_norm", normWidths.1),
    ]
  }

  private func experts(prefix: String) -> [Plan] {
    let (hidden, width, count) = (model.hiddenSize, model.expertWidth, model.expertCount)
    func stack(
      _ name: String, _ columns: Int, _ rows: Int, _ type: GGMLType, _ deviation: Float
    )
      -> Plan
    {
      Plan(
        name: "\(prefix)\(name).weight", shape: [columns, rows, count], type: type,
        deviation: deviation)
    }
    let unit = 1 / Float(hidden).squareRoot()
    // silu(gate) * up of unit Gaussians has a root mean square of 0.6. Routing weights are some
    // 1 / expertsPerToken each, and OLMoE's are not normalised to one but to some 0.6.
    let routingSum: Float = model.architecture == .olmoe ? 0.6 : 1
    let down =
      blockGain * Float(model.expertsPerToken).squareRoot()
      / (0.6 * routingSum * Float(width).squareRoot())
    return [
      norm(prefix + "ffn_norm", hidden),
      Plan(
        name: prefix + "ffn_gate_inp.weight", shape: [hidden, count], deviation: 1.5 * unit),
      stack("ffn_gate_exps", hidden, width, model.formats.expertGate, unit),
      stack("ffn_up_exps", hidden, width, model.formats.expertUp, unit),
      stack("ffn_down_exps", width, hidden, model.formats.expertDown, down),
    ]
  }

  private func norm(_ name: String, _ width: Int) -> Plan {
    Plan(name: name + ".weight", shape: [width], mean: 1, deviation: 0.05)
  }
}
