import MoECore
import MoEExperts
import MoEKernels
import MoEModel

extension QuantFormat {
  /// Bits of one weight, scales included.
  var bitsPerWeight: Double { 8 * Double(blockByteCount) / Double(blockElementCount) }
}

/// The same model with fewer bits for each weight, as far as sizes and products go.
extension ModelTensors {
  /// The next smaller format that has kernels and suits the experts' shapes: the largest of those
  /// that need at most seven tenths of the bits that most bytes of the experts have now. Nil where
  /// there is none.
  var fewerBitsFormat: QuantFormat? {
    var byteCounts: [QuantFormat: Int] = [:]
    for layer in experts.layers {
      for matrix in layer.matrices {
        byteCounts[matrix.format, default: 0] += layer.expertCount * matrix.slotByteCount
      }
    }
    guard let main = byteCounts.max(by: { $0.value < $1.value })?.key else { return nil }
    return QuantFormat.all
      .filter { format in
        format.bitsPerWeight <= 0.7 * main.bitsPerWeight
          && experts.layers.allSatisfy { layer in
            layer.matrices.allSatisfy { $0.columnCount % format.blockElementCount == 0 }
          }
      }
      .max { $0.bitsPerWeight < $1.bitsPerWeight }
  }

  /// Every matrix that has more bits than `format` in that format, where its rows allow. Offsets in
  /// the file stay, so what comes of it is good for sizes and not for reading.
  func limited(to format: QuantFormat) -> ModelTensors {
    var tensors = self
    func limit(_ tensor: inout DenseTensor) {
      guard !tensor.isVector, tensor.format.bitsPerWeight > format.bitsPerWeight,
        tensor.columnCount % format.blockElementCount == 0
      else { return }
      tensor.format = format
      (tensor.conversion, tensor.scales) = (nil, nil)
      tensor.extent.byteCount = tensor.byteCount
    }
    func limited(_ part: ExpertPart) -> ExpertPart {
      guard part.role.isMatrix, part.format.bitsPerWeight > format.bitsPerWeight,
        part.columnCount % format.blockElementCount == 0
      else { return part }
      return part.converted(to: format)
    }
    tensors.ends.update { _, tensor in limit(&tensor) }
    for index in tensors.layers.indices {
      // Files keep what chooses experts as it is.
      tensors.layers[index].update { role, tensor in if role != .router { limit(&tensor) } }
    }
    for (index, layer) in tensors.experts.layers.enumerated() {
      tensors.experts.layers[index] = layer.replacing(parts: layer.parts.map(limited))
    }
    return tensors
  }
}
