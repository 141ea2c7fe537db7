import MoECore
import MoEExperts
import MoEKernels
import MoEModel

/// Attention over a long past, and whole layers as the decoder runs them.
extension MachineProbe {
  /// How much of its products' time a layer may save by computing them side by side.
  private static let overlapMax = 0.1
  private static let layerCountMax = 8

  func measureAttention() throws(OutOfMemory) {
    guard let attention = run.header.description.longestAttention else { return }
    let type = run.options.kvCacheType.kvType
    // Keys and values of one layer must fit the buffer twice, so that they are not always the same.
    let capacity = min(
      request.positionCount,
      max(1, memory.byteCount / (2 * attention.byteCountPerPosition(type))))
    let keyByteCount = KVView.byteCount(
      type: type, capacity: capacity, headCount: attention.keyValueHeadCount,
      headDimension: attention.keyDimension)
    let pageByteCount = capacity * attention.byteCountPerPosition(type)
    let tokenCount = min(request.chunkTokenCount, capacity)
    let rows = max(attention.queryWidth, attention.attendedWidth)
    let buffer = try AlignedBuffer(byteCount: 8 * tokenCount * rows)
    buffer.populate()
    func floats(_ index: Int, _ count: Int, _ width: Int) -> FloatRows {
      FloatRows(
        buffer.floats(atByteOffset: 4 * index * tokenCount * rows, count: count * width),
        rowCount: count, columnCount: width)
    }
    func attend(_ count: Int, position: Int) -> Double {
      seconds {
        // Keys and values of all positions are one page.
        let page = memory.next(pageByteCount)
        unsafe withUnsafePointer(to: Optional(page.pointer)) { address in
          let view = KVView(
            pages: unsafe PageTable(address, count: 1, pageByteCount: page.count), keyOffset: 0,
            valueOffset: attention.valuesLieInKeys ? nil : keyByteCount, type: type,
            headCount: attention.keyValueHeadCount, keyHeadDimension: attention.keyDimension,
            valueHeadDimension: attention.valueDimension, pagePositionCount: capacity,
            capacity: capacity)
          team.attend(
            floats(0, count, attention.queryWidth), headCount: attention.queryHeadCount,
            over: [AttentionSegment(view: view, position: position, rowCount: count)],
            scoring: AttentionScoring(scale: 1 / Float(attention.keyDimension).squareRoot()),
            into: floats(1, count, attention.attendedWidth))
        }
      }
    }
    let (near, far) = (capacity / 8, capacity - 1)
    let slope = (attend(1, position: far) - attend(1, position: near)) / Double(max(1, far - near))
    result.attentionSecondsPerPosition = max(0, slope)
    let first = capacity - tokenCount
    let positions = Double(tokenCount) * (Double(first) + Double(tokenCount + 1) / 2)
    result.chunkAttentionSecondsPerPosition = attend(tokenCount, position: first) / positions
  }

  /// Runs some of the model's layers with the decoder itself, for one token and for more, and keeps
  /// what they take beyond their products and attention, recurrences included.
  func measureLayers() throws(OutOfMemory) {
    let (description, tensors) = reducedModel()
    let counts = [1, 16, request.chunkTokenCount].filter { $0 <= request.chunkTokenCount }
    let vectors = try AlignedBuffer(
      byteCount: 4 * DecoderWeights.vectorElementCount(tensors))
    let transposed = try AlignedBuffer(
      byteCount: DecoderWeights.transposedByteCount(tensors))
    let weights = DecoderWeights(
      tensors: tensors, vectors: vectors.floats(count: vectors.byteCount / 4),
      transposed: transposed.bytes(count: transposed.byteCount)
    ) { self.memory.next($0.byteCount) }
    let decoder = try Decoder(
      description: description, weights: weights,
      experts: ProbeExperts(tensors.experts, memory: memory), team: team,
      scratch: ScratchLayout(
        description: description, tensors: tensors, tokenCount: request.chunkTokenCount,
        logitRowCount: 1),
      states: StateLayout(
        description, contextLength: request.chunkTokenCount,
        type: run.options.kvCacheType.kvType))
    decoder.populate()
    let layerCount = Double(description.layerCount)
    let attendingCount = Double(description.layers.count { $0.mixer?.attentionShape != nil })
    guard let sequence = decoder.beginSequence() else {
      preconditionFailure("a new decoder has room for a sequence")
    }
    defer { decoder.endSequence(sequence) }
    var points: [CostCurve.Point] = []
    for count in Set(counts).sorted() {
      let ids = Array(repeating: Int32(0), count: count)
      var hasFailed = false
      let time = seconds {
        decoder.cut(sequence)
        do {
          try decoder.forward(ids, of: sequence, phase: count == 1 ? .decode : .prefill)
        } catch {
          hasFailed = true
        }
      }
      precondition(!hasFailed, "these experts are always there")
      let positions = Double(count * (count + 1)) / 2
      let products = productSeconds(of: tensors, tokenCount: Double(count))
      let attention =
        result.chunkAttentionSecondsPerPosition * positions * attendingCount / layerCount
      let rest = time / layerCount - products - attention
      // A difference of times of a busy machine can be anything; a layer's time cannot.
      points.append(
        CostCurve.Point(
          tokenCount: Double(count), seconds: max(rest, -Self.overlapMax * products)))
    }
    withExtendedLifetime(vectors) {}
    withExtendedLifetime(transposed) {}
    result.layerRest = CostCurve(points)
  }

  /// Layers at even distances (mixed quantisations differ along them), so many that their dense
  /// weights do not stay in the last cache, and a vocabulary that fits the buffer.
  private func reducedModel() -> (ModelDescription, ModelTensors) {
    var description = run.header.description
    var tensors = run.header.tensors
    let denseByteCount =
      tensors.layers.reduce(0) { $0 + $1.byteCount } / max(1, tensors.layers.count)
    let wanted = 2 * request.machine.lastCacheByteCount / max(1, denseByteCount) + 1
    let count = min(max(wanted, 2), Self.layerCountMax, description.layerCount)
    let chosen = (0..<count).map { $0 * description.layerCount / count }
    tensors.layers = chosen.map { tensors.layers[$0] }
    tensors.experts.layers = chosen.map { tensors.experts.layers[$0] }
    description.layers = chosen.map { description.layers[$0] }
    description.vocabularySize = 1
    tensors.ends.update { role, tensor in
      guard role == .embedding || role == .output else { return }
      tensor.rowCount = 1
    }
    return (description, tensors)
  }

  /// Seconds of all products of the mean layer, where every token takes the same experts.
  private func productSeconds(of tensors: ModelTensors, tokenCount: Double) -> Double {
    var sum = 0.0
    for (layer, experts) in zip(tensors.layers, tensors.experts.layers) {
      for tensor in layer.matrices {
        sum += result.cost(of: ProbeShape(tensor))?.seconds(tokenCount) ?? 0
      }
      for shape in experts.productShapes {
        let cost = result.cost(of: shape)
        sum += Double(experts.expertsPerToken) * (cost?.seconds(tokenCount) ?? 0)
      }
    }
    return sum / Double(tensors.layers.count)
  }
}
