/// How a model norms rows of hidden states.
package enum NormKind: Sendable, Hashable {
  /// x / sqrt(mean(x²) + ε) · weight (arXiv 1910.07467).
  case rms
  /// (x - mean(x)) / sqrt(variance(x) + ε) · weight + bias (arXiv 1607.06450).
  case layer
}

/// How what a block gives joins the residual stream: hidden += scale · norm(result).
package struct Join: Sendable, Hashable {
  /// The name of the norm, without the layer's prefix and `.weight`; nil: none.
  package var normName: String?
  package var scale: Float = 1

  /// hidden += result
  package static let plain = Join()
}

extension TensorRole {
  /// What is added behind a norm, or a product, whose weight has this role.
  package var bias: TensorRole { TensorRole(rawValue: rawValue + "'s bias") }
}

extension TensorTable {
  /// The weight of a norm of whole rows, and its bias where there is one.
  ///
  /// - Parameter name: Without the layer's prefix and `.weight`.
  package mutating func norm(_ role: TensorRole, _ name: String, count: Int, _ kind: NormKind) {
    vector(role, name + ".weight", count: count, isFactor: true)
    if kind == .layer { vector(role.bias, name + ".bias", count: count, isOptional: true) }
  }
}
