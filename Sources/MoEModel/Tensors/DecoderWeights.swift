package import MoECore
package import MoEKernels

/// The dense weights in memory, as the decoder's blocks take them. Borrowed: whoever loads them
/// keeps the memory while the decoder lives.
package struct DecoderWeights: Sendable {
  /// What lies beside the layers.
  package let ends: LoadedTensors
  /// By layer.
  package let layers: [LoadedTensors]

  /// Elements of all vectors together, which are widened to floats.
  package static func vectorElementCount(_ tensors: ModelTensors) -> Int {
    tensors.sets.reduce(0) { sum, set in
      sum + set.tensors.reduce(0) { $0 + ($1.isVector ? $1.columnCount : 0) }
    }
  }

  /// - Parameters:
  ///   - bytes: Where a tensor's bytes were read to.
  ///   - vectors: Storage for the vectors, `vectorElementCount` floats.
  package init(tensors: ModelTensors, vectors: FloatView, bytes: (DenseTensor) -> ByteView) {
    var used = 0
    func load(_ set: TensorSet) -> LoadedTensors {
      var loaded = LoadedTensors()
      for entry in set.entries {
        let tensor = entry.tensor
        if tensor.isVector {
          let floats = vectors.slice(used, count: tensor.columnCount)
          tensor.format.dequantize(bytes(tensor), into: floats)
          used += tensor.columnCount
          loaded.append(floats, as: entry.role)
        } else {
          loaded.append(
            QuantizedMatrix(
              format: tensor.format, bytes: bytes(tensor), rowCount: tensor.rowCount,
              columnCount: tensor.columnCount), as: entry.role)
        }
      }
      return loaded
    }
    ends = load(tensors.ends)
    layers = tensors.layers.map(load)
  }
}
