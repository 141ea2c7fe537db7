import MoECore

/// The text model of Qwen3-VL-MoE (arXiv 2511.21631), which is a Qwen3-MoE. In a text all sections
/// of the rotary embedding (`rope.dimension_sections`) have the same position, and nothing is added
/// to the first layers, as it is for images (`n_deepstack_layers`).
enum Qwen3VLMoE {
  static let architecture = Architecture(
    name: "qwen3vlmoe", models: "Qwen3-VL-30B-A3B and 235B-A22B, their text models",
    summary: "Qwen3-VL-MoE, its text model: as Qwen3-MoE.",
    smallModel: Qwen3MoE.architecture.smallModel,
    tensorNames: TensorNames(leftOut: TensorNames.encoders),
    describe: Qwen3MoE.architecture.describe)
}
