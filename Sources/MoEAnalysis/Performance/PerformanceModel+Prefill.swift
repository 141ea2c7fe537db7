import MoECore

extension PerformanceModel {
  /// Chunks at the beginning and at the end of a prompt that the cache is replayed for. Those in
  /// between are alike, and take what the last one of the first takes.
  static let (firstChunkCount, lastChunkCount) = (12, 4)

  /// What a chunk's step on one layer takes besides its dense part.
  private struct ExpertPart {
    var seconds = 0.0
    var computeSeconds = 0.0
    var diskSeconds = 0.0
    var requestCount = 0
    var missCount = 0
  }

  /// A prompt from the start of a sequence, in chunks; the pool is empty before it.
  package func prefill(promptTokenCount: Int) -> PhaseEstimate {
    var estimate = PhaseEstimate(
      tokenCount: promptTokenCount, seconds: costs.outputSeconds,
      computeSeconds: costs.outputSeconds,
      memorySeconds: Double(costs.outputByteCount) / costs.memoryBytesPerSecond, diskSeconds: 0,
      readByteCount: 0, hitRate: 1)
    var (missCount, requestCount) = (0, 0)
    var replay = PromptReplay(costs, routing)
    let starts = Array(stride(from: 0, to: promptTokenCount, by: costs.chunkTokenCount))
    var parts: [ExpertPart] = []
    for (index, start) in starts.enumerated() {
      let count = min(costs.chunkTokenCount, promptTokenCount - start)
      if index < Self.firstChunkCount || index >= starts.count - Self.lastChunkCount {
        let steps = replay.steps(chunk: index, start: start, tokenCount: count)
        parts = zip(costs.layers, steps).map { layer, step in
          expertPart(layer, step, dense: denseSeconds(layer, start: start, tokenCount: count))
        }
      }
      for (layer, part) in zip(costs.layers, parts) {
        let dense = denseSeconds(layer, start: start, tokenCount: count)
        estimate.seconds += dense + part.seconds
        estimate.computeSeconds += dense + part.computeSeconds
        estimate.diskSeconds += part.diskSeconds
        estimate.readByteCount += Double(part.missCount * layer.expertByteCount)
        let touched =
          layer.denseByteCount + part.requestCount * layer.expertByteCount
          + (start + count) * costs.keyValueByteCount
        estimate.memorySeconds += Double(touched) / costs.memoryBytesPerSecond
        missCount += part.missCount
        requestCount += part.requestCount
      }
    }
    estimate.hitRate = requestCount > 0 ? 1 - Double(missCount) / Double(requestCount) : 1
    return estimate
  }

  private func denseSeconds(_ layer: RunCosts.Layer, start: Int, tokenCount: Int) -> Double {
    let positions = Double(tokenCount) * (Double(start) + Double(tokenCount + 1) / 2)
    return layer.dense.seconds(Double(tokenCount))
      + costs.chunkAttentionSecondsPerPosition * positions
  }

  private func expertPart(
    _ layer: RunCosts.Layer, _ step: RoutedStep, dense: Double
  ) -> ExpertPart {
    var part = ExpertPart()
    part.requestCount = step.requests.count
    part.missCount = step.requests.count - step.hitCount
    part.computeSeconds = step.requests.reduce(0) {
      $0 + layer.expert.seconds(Double($1.tokenCount))
    }
    if step.tokenCount == 1 {
      // One token's experts are computed side by side, as in decoding.
      let whole = decodeStep(layer, dense: dense, missCount: part.missCount)
      part.seconds = whole.seconds - dense
      part.diskSeconds = whole.diskSeconds
    } else {
      let early = part.missCount > 0 ? overlapShare * dense : 0
      let pipeline = ChunkPipeline(step, layer: layer, disk: costs.disk, earlySeconds: early)
      part.seconds = pipeline.seconds
      part.diskSeconds = pipeline.diskSeconds
    }
    return part
  }
}
