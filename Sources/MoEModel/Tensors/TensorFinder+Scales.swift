import MoECore
package import MoEExperts
import MoEKernels

/// Scales of quantised matrices (NVFP4): a factor on a whole matrix, or one for each expert of a
/// stack, in a tensor of its own. Any matrix of any family may have one.
extension TensorFinder {
  /// Adds the scales of a matrix to a set, if the file has them.
  ///
  /// For `X.weight` they are `X.scale` or `X.weight.scale`. A scale of activations,
  /// `X.input_scale`, serves processors that round these to 4 bits; nothing here does.
  ///
  /// - Parameters:
  ///   - names: The matrix's, and those under which scales may stand besides.
  ///   - ownNames: Tensors of the block that mean something else, whatever they are called.
  ///   - count: Experts of a stack, or 1.
  mutating func appendScales(
    of names: [String], apartFrom ownNames: Set<String>, count: Int, as role: TensorRole,
    to set: inout TensorSet
  ) throws(ModelError) {
    let suffix = ".weight"
    let stems = names.flatMap { name in
      name.hasSuffix(suffix) ? [String(name.dropLast(suffix.count)), name] : [name]
    }
    for stem in stems { leaveOut(stem + ".input_scale") }
    let found = stems.map { $0 + ".scale" }.first { tensors[$0] != nil && !ownNames.contains($0) }
    guard let found else { return }
    let (tensor, format) = try find(found, shape: [count])
    set.append(
      DenseTensor(
        name: found, format: format, rowCount: 1, columnCount: count, isVector: true,
        extent: tensor.extent, checksum: tensor.checksum), as: role)
  }
}

extension TensorRole {
  private static let scaleSuffix = " (scale of its products)"

  /// What the products of a matrix are multiplied with.
  package var scale: TensorRole { TensorRole(rawValue: rawValue + Self.scaleSuffix) }

  /// The same of an expert's matrix: one for each expert.
  package static func scales(of part: ExpertPartRole) -> TensorRole {
    TensorRole(rawValue: "experts' \(part)").scale
  }

  package var isScale: Bool { rawValue.hasSuffix(Self.scaleSuffix) }
}

/// Factors on the products of a layer's experts: (expert); nil where there are none.
package struct ExpertScales {
  private let gate: FloatView?
  private let up: FloatView?
  private let down: FloatView?

  /// - Parameter weights: The layer's; nil for experts without scales.
  package init(_ weights: LoadedTensors? = nil) {
    let fused = weights?.optionalVector(.scales(of: .gateUp))
    gate = fused ?? weights?.optionalVector(.scales(of: .gate))
    up = fused ?? weights?.optionalVector(.scales(of: .up))
    down = weights?.optionalVector(.scales(of: .down))
  }

  /// An expert's matrices with their scales.
  func scaled(_ weights: ExpertWeights, expert: Int) -> ExpertWeights {
    var weights = weights
    if let gate { weights.gate?.scale = gate[expert] }
    if let up { weights.up.scale = up[expert] }
    if let down { weights.down.scale = down[expert] }
    return weights
  }
}
