package import MoECore
package import MoEExperts
package import MoEKernels

/// A dense tensor of the model as the file's header describes it, checked against the description.
package struct DenseTensor: Sendable, Hashable {
  package var name: String
  package var format: QuantFormat
  package var rowCount: Int
  package var columnCount: Int
  package var extent: FileExtent
}

/// Which tensors of a file the decoder reads: every one found, of the right shape and in a format
/// that has kernels. No bytes are read here.
package struct ModelTensors: Sendable {
  package struct Layer: Sendable {
    package var attentionNorm: DenseTensor
    package var query: DenseTensor
    package var key: DenseTensor
    package var value: DenseTensor
    package var attentionOutput: DenseTensor
    package var queryNorm: DenseTensor
    package var keyNorm: DenseTensor
    package var feedForwardNorm: DenseTensor
    package var router: DenseTensor

    package var all: [DenseTensor] {
      [
        attentionNorm, query, key, value, attentionOutput, queryNorm, keyNorm, feedForwardNorm,
        router,
      ]
    }
  }

  package var embedding: DenseTensor
  package var layers: [Layer]
  package var outputNorm: DenseTensor
  /// The embedding itself where the model ties them.
  package var output: DenseTensor
  package var experts: ExpertLayout

  /// The dense tensors, each once, in the order in which they lie in the files.
  package var dense: [DenseTensor] {
    let all = [embedding, outputNorm, output] + layers.flatMap(\.all)
    return Set(all).sorted {
      ($0.extent.fileIndex, $0.extent.offset) < ($1.extent.fileIndex, $1.extent.offset)
    }
  }

  package init(
    description: ModelDescription, tensors: [TensorDescriptor], file: String
  ) throws(ModelError) {
    var finder = TensorFinder(description: description, tensors: tensors, file: file)
    let attention = description.attention
    let hidden = description.hiddenSize
    let (queryNormWidth, keyNormWidth) =
      switch attention.queryKeyNorm {
      case .wholeProjection: (attention.queryWidth, attention.keyValueWidth)
      case .perHead: (attention.headDimension, attention.headDimension)
      }
    embedding = try finder.matrix(
      TensorName.embedding, rows: description.vocabularySize, columns: hidden)
    outputNorm = try finder.vector(TensorName.outputNorm, count: hidden)
    output =
      finder.contains(TensorName.output)
      ? try finder.matrix(TensorName.output, rows: description.vocabularySize, columns: hidden)
      : embedding
    layers = []
    var expertLayers: [ExpertLayer] = []
    for layer in 0..<description.layerCount {
      layers.append(
        Layer(
          attentionNorm: try finder.vector(TensorName.attentionNorm(layer), count: hidden),
          query: try finder.matrix(
            TensorName.query(layer), rows: attention.queryWidth, columns: hidden),
          key: try finder.matrix(
            TensorName.key(layer), rows: attention.keyValueWidth, columns: hidden),
          value: try finder.matrix(
            TensorName.value(layer), rows: attention.keyValueWidth, columns: hidden),
          attentionOutput: try finder.matrix(
            TensorName.attentionOutput(layer), rows: hidden, columns: attention.queryWidth),
          queryNorm: try finder.vector(TensorName.queryNorm(layer), count: queryNormWidth),
          keyNorm: try finder.vector(TensorName.keyNorm(layer), count: keyNormWidth),
          feedForwardNorm: try finder.vector(TensorName.feedForwardNorm(layer), count: hidden),
          router: try finder.matrix(
            TensorName.router(layer), rows: description.router.expertCount, columns: hidden)))
      expertLayers.append(try finder.experts(layer: layer))
    }
    experts = ExpertLayout(layers: expertLayers)
    try finder.requireAllUsed()
  }
}

/// Looks tensors up by name, checks them, and remembers which were used.
private struct TensorFinder {
  let description: ModelDescription
  let file: String
  private let tensors: [String: TensorDescriptor]
  private var unused: Set<String>

  init(description: ModelDescription, tensors: [TensorDescriptor], file: String) {
    self.description = description
    self.file = file
    self.tensors = Dictionary(
      tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    unused = Set(tensors.map(\.name))
  }

  func contains(_ name: String) -> Bool { tensors[name] != nil }

  mutating func vector(_ name: String, count: Int) throws(ModelError) -> DenseTensor {
    let (tensor, format) = try find(name, shape: [count])
    return DenseTensor(
      name: name, format: format, rowCount: 1, columnCount: count, extent: tensor.extent)
  }

  mutating func matrix(
    _ name: String, rows: Int, columns: Int
  ) throws(ModelError) -> DenseTensor {
    let (tensor, format) = try find(name, shape: [columns, rows])
    return DenseTensor(
      name: name, format: format, rowCount: rows, columnCount: columns, extent: tensor.extent)
  }

  mutating func experts(layer: Int) throws(ModelError) -> ExpertLayer {
    let (hidden, width) = (description.hiddenSize, description.expertWidth)
    return ExpertLayer(
      expertCount: description.router.expertCount,
      expertsPerToken: description.router.expertsPerToken,
      parts: [
        try stack(.gate, TensorName.gateExperts(layer), rows: width, columns: hidden),
        try stack(.up, TensorName.upExperts(layer), rows: width, columns: hidden),
        try stack(.down, TensorName.downExperts(layer), rows: hidden, columns: width),
      ])
  }

  private mutating func stack(
    _ role: ExpertPartRole, _ name: String, rows: Int, columns: Int
  ) throws(ModelError) -> ExpertPart {
    let (tensor, format) = try find(name, shape: [columns, rows, description.router.expertCount])
    return ExpertPart(
      role, name: name, format: format, rowCount: rows, columnCount: columns,
      storage: .stack(tensor.extent))
  }

  private mutating func find(
    _ name: String, shape: [Int]
  ) throws(ModelError) -> (TensorDescriptor, QuantFormat) {
    guard let tensor = tensors[name] else {
      throw .missingTensor(name: name, architecture: description.architecture, file: file)
    }
    guard tensor.shape == shape else {
      throw .wrongShape(tensor: name, expected: shape, found: tensor.shape, file: file)
    }
    guard let format = QuantFormat(ggmlType: tensor.formatID),
      shape[0] % format.blockElementCount == 0
    else {
      throw .unsupportedFormat(
        tensor: name, found: "ggml type \(tensor.formatID)",
        supported: QuantFormat.all.map(\.name), file: file)
    }
    unused.remove(name)
    return (tensor, format)
  }

  /// Only the layers' tensors: what lies beside them (unused rotary tables, for example) is
  /// harmless.
  func requireAllUsed() throws(ModelError) {
    if let name = unused.filter({ $0.hasPrefix("blk.") }).sorted().first {
      throw .unexpectedTensor(name: name, architecture: description.architecture, file: file)
    }
  }
}
