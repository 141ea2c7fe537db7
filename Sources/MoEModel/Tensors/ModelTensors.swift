package import MoECore
package import MoEExperts
import MoEKernels

/// Which tensors of a file the decoder reads: every one found, of the right shape and in a format
/// that has kernels. No bytes are read here.
package struct ModelTensors: Sendable {
  /// What lies beside the layers.
  package var ends: TensorSet
  /// By layer.
  package var layers: [TensorSet]
  package var experts: ExpertLayout
  /// Copies of all experts in fewer bits, which a bundle has; nil without them.
  package var lowExperts: ExpertLayout?

  package var sets: [TensorSet] { [ends] + layers }

  /// The matrix that turns hidden states into logits: the embedding itself where the model ties
  /// them.
  package var output: DenseTensor? { ends[.output] ?? ends[.embedding] }

  /// The experts' matrices of one layer, copies included.
  func expertMatrices(layer: Int) -> [ExpertPart] {
    experts.layers[layer].matrices + (lowExperts?.layers[layer].matrices ?? [])
  }

  /// The dense tensors, each once, in the order in which they lie in the files.
  package var dense: [DenseTensor] {
    sets.flatMap(\.tensors).sorted {
      ($0.extent.fileIndex, $0.extent.offset) < ($1.extent.fileIndex, $1.extent.offset)
    }
  }

  /// Whether all that is read is in some file; of a bundle that has all of a model, the table tells
  /// what is.
  package var isComplete: Bool {
    let plain = experts.layers.filter { $0.records == nil }.flatMap(\.parts).flatMap(\.runs)
    return !(dense.map(\.extent) + plain).contains(where: \.isNowhere)
  }

  package init(
    description: ModelDescription, tensors: [TensorDescriptor], file: String
  ) throws(ModelError) {
    var finder = TensorFinder(description: description, tensors: tensors, file: file)
    ends = try finder.find(description.endTensors)
    layers = []
    var expertLayers: [ExpertLayer] = []
    for (number, layer) in description.layers.enumerated() {
      let table = layer.tensors(number, description)
      var dense = try finder.find(table)
      expertLayers.append(
        try finder.experts(
          layer.feedForward?.routed, layer: number, hiddenSize: description.hiddenSize,
          table: table, dense: &dense))
      layers.append(dense)
    }
    experts = ExpertLayout(layers: expertLayers)
    try finder.requireAllUsed()
  }
}
