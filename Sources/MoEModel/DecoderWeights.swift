package import MoECore
package import MoEKernels

/// The dense weights in memory, as the decoder reads them. Borrowed: whoever loads them keeps the
/// memory while the decoder lives.
package struct DecoderWeights: Sendable {
  package struct Layer: Sendable {
    /// (hiddenSize)
    package var attentionNorm: FloatView
    /// (queryWidth, hiddenSize)
    package var query: QuantizedMatrix
    /// (keyValueWidth, hiddenSize)
    package var key: QuantizedMatrix
    /// (keyValueWidth, hiddenSize)
    package var value: QuantizedMatrix
    /// (hiddenSize, queryWidth)
    package var attentionOutput: QuantizedMatrix
    /// (queryWidth), or (headDimension) where each head is normed by itself
    package var queryNorm: FloatView
    /// (keyValueWidth), or (headDimension)
    package var keyNorm: FloatView
    /// (hiddenSize)
    package var feedForwardNorm: FloatView
    /// (expertCount, hiddenSize)
    package var router: QuantizedMatrix
  }

  /// (vocabularySize, hiddenSize)
  package var embedding: QuantizedMatrix
  package var layers: [Layer]
  /// (hiddenSize)
  package var outputNorm: FloatView
  /// (vocabularySize, hiddenSize)
  package var output: QuantizedMatrix

  /// Elements of all norm vectors together, which are widened to floats.
  package static func vectorElementCount(_ tensors: ModelTensors) -> Int {
    tensors.layers.reduce(tensors.outputNorm.columnCount) { sum, layer in
      sum + layer.attentionNorm.columnCount + layer.queryNorm.columnCount
        + layer.keyNorm.columnCount + layer.feedForwardNorm.columnCount
    }
  }

  /// - Parameters:
  ///   - bytes: Where a tensor's bytes were read to.
  ///   - vectors: Storage for the norm vectors, `vectorElementCount` floats.
  package init(tensors: ModelTensors, vectors: FloatView, bytes: (DenseTensor) -> ByteView) {
    var used = 0
    func vector(_ tensor: DenseTensor) -> FloatView {
      let floats = vectors.slice(used, count: tensor.columnCount)
      tensor.format.dequantize(bytes(tensor), into: floats)
      used += tensor.columnCount
      return floats
    }
    func matrix(_ tensor: DenseTensor) -> QuantizedMatrix {
      QuantizedMatrix(
        format: tensor.format, bytes: bytes(tensor), rowCount: tensor.rowCount,
        columnCount: tensor.columnCount)
    }
    embedding = matrix(tensors.embedding)
    output = matrix(tensors.output)
    outputNorm = vector(tensors.outputNorm)
    layers = tensors.layers.map { layer in
      Layer(
        attentionNorm: vector(layer.attentionNorm), query: matrix(layer.query),
        key: matrix(layer.key), value: matrix(layer.value),
        attentionOutput: matrix(layer.attentionOutput), queryNorm: vector(layer.queryNorm),
        keyNorm: vector(layer.keyNorm), feedForwardNorm: vector(layer.feedForwardNorm),
        router: matrix(layer.router))
    }
  }
}
