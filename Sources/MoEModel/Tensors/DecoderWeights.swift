package import MoECore
import MoEKernels

/// The dense weights in memory, as the decoder's blocks take them. Borrowed: whoever loads them
/// keeps the memory while the decoder lives.
package struct DecoderWeights {
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

  /// Bytes of the matrices that are made of others.
  package static func transposedByteCount(_ tensors: ModelTensors) -> Int {
    tensors.sets.reduce(0) { sum, set in
      sum + set.tensors.reduce(0) { $0 + (TransposedMatrix(of: $1)?.byteCount ?? 0) }
    }
  }

  /// - Parameters:
  ///   - bytes: Where a tensor's bytes were read to.
  ///   - vectors: Storage for the vectors, `vectorElementCount` floats.
  ///   - transposed: Storage for the matrices that are made of others, `transposedByteCount` bytes.
  package init(
    tensors: ModelTensors, vectors: FloatView, transposed: ByteView,
    bytes: (DenseTensor) -> ByteView
  ) {
    var used = 0
    var transposedEnd = 0
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
          let bytes = bytes(tensor)
          loaded.append(
            QuantizedMatrix(
              format: tensor.format, bytes: bytes, rowCount: tensor.rowCount,
              columnCount: tensor.columnCount), as: entry.role)
          if let matrix = TransposedMatrix(of: tensor) {
            let memory = transposed.slice(transposedEnd, count: matrix.byteCount)
            loaded.append(matrix.make(from: bytes, in: memory), as: matrix.role)
            transposedEnd += matrix.byteCount
          }
        }
      }
      loaded.applyScales(set)
      return loaded
    }
    ends = load(tensors.ends)
    layers = tensors.layers.map(load)
  }

  /// The first scale of a matrix that is not a number, or not finite: its tensor, and which of that
  /// tensor's elements it is. All that is multiplied with it would be no number either.
  package func firstDamagedScale(_ tensors: ModelTensors) -> (tensor: DenseTensor, index: Int)? {
    for (set, loaded) in zip(tensors.sets, [ends] + layers) {
      for entry in set.entries where entry.role.isScale {
        let scales = loaded.vector(entry.role)
        for index in 0..<scales.count where !scales[index].isFinite {
          return (entry.tensor, index)
        }
      }
    }
    return nil
  }
}
