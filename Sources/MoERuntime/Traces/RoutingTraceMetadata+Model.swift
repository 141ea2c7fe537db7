import MoECore
import MoEExperts
import MoEKernels
import MoEModel

extension RoutingTraceMetadata {
  /// What a trace of this model says of it.
  init(_ header: LoadedHeader, weights: DecoderWeights) {
    let experts = header.tensors.experts
    self.init(
      expertCount: experts.expertCountMax,
      expertsPerToken: experts.expertsPerTokenMax, layers: experts.routedLayers)
    model = header.name ?? header.description.architecture
    modelHash = Self.hash(of: weights)
    quantization = Self.formats(of: experts)
    nativeExpertsPerToken = experts.expertsPerTokenMax
    others["architecture"] = .string(header.description.architecture)
    others["model_bytes"] = .integer(header.byteCount)
    others["id_order"] = .string("router rank, best first")
    others["weights"] = .string("final applied weight")
  }

  /// Of the routers' weights: they decide the routing, and are the same in every quantisation of a
  /// model, since files keep them in F32.
  private static func hash(of weights: DecoderWeights) -> String {
    var hash = FNV1a()
    for layer in weights.layers {
      if let router = layer.optionalMatrix(.router) { hash.update(router.bytes) }
    }
    return "fnv1a-routers:" + hash.text
  }

  /// The formats of the experts' matrices, most bytes first.
  private static func formats(of experts: ExpertLayout) -> String {
    var sizes: [String: Int] = [:]
    for layer in experts.layers {
      for matrix in layer.matrices {
        sizes[matrix.format.name, default: 0] += layer.expertCount * matrix.slotByteCount
      }
    }
    return sizes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
      .joined(separator: ", ")
  }
}
