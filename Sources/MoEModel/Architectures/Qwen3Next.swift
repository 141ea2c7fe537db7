import MoECore
import MoEKernels

/// Qwen3-Next (as published in transformers, `qwen3_next`): as Qwen3.5, which follows it, but for
/// the order of value heads and for how files have the projections of the delta nets.
enum Qwen3Next {
  static let architecture = Architecture(
    name: "qwen3next",
    models: "Qwen3-Next-80B-A3B, with projections fused as in older files or not",
    summary: "Qwen3-Next: gated delta nets, gated attention, a gated shared expert.",
    smallModel: HybridQwen.smallModel, tensorNames: HybridQwen.tensorNames
  ) { reader throws(ModelError) in
    try HybridQwen.describe(reader, keySharing: .grouped, storage: .fusedTimeSteps)
  }
}
