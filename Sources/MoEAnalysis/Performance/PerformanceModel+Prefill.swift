import MoECache
import MoECore

extension PerformanceModel {
  /// Chunks at the beginning and at the end of a prompt that the cache is replayed for. Those in
  /// between are alike, and take the mean of the second half of the first.
  static let (firstChunkCount, lastChunkCount) = (12, 4)

  /// What a chunk's step on one layer takes besides its dense part.
  private struct ExpertPart {
    var seconds = 0.0
    var computeSeconds = 0.0
    var diskSeconds = 0.0
    var requestCount = 0.0
    var missCount = 0.0

    static func += (left: inout ExpertPart, right: ExpertPart) {
      left.seconds += right.seconds
      left.computeSeconds += right.computeSeconds
      left.diskSeconds += right.diskSeconds
      left.requestCount += right.requestCount
      left.missCount += right.missCount
    }

    func divided(by count: Double) -> ExpertPart {
      ExpertPart(
        seconds: seconds / count, computeSeconds: computeSeconds / count,
        diskSeconds: diskSeconds / count, requestCount: requestCount / count,
        missCount: missCount / count)
    }
  }

  /// A prompt from the start of a sequence, in chunks; the pool is empty before it.
  package func prefill(promptTokenCount: Int) -> PhaseEstimate {
    var estimate = PhaseEstimate(
      tokenCount: promptTokenCount, seconds: costs.outputSeconds,
      computeSeconds: costs.outputSeconds,
      memorySeconds: Double(costs.outputByteCount) / costs.memoryBytesPerSecond, diskSeconds: 0,
      readByteCount: 0, hitRate: 1)
    var (missCount, requestCount) = (0.0, 0.0)
    var replay = PromptReplay(costs, routing)
    let starts = Array(stride(from: 0, to: promptTokenCount, by: costs.chunkTokenCount))
    var sums = costs.layers.map { _ in ExpertPart() }
    let averaged = Self.firstChunkCount / 2..<Self.firstChunkCount
    for (index, start) in starts.enumerated() {
      let count = min(costs.chunkTokenCount, promptTokenCount - start)
      var parts = sums.map { $0.divided(by: Double(averaged.count)) }
      if index < Self.firstChunkCount || index >= starts.count - Self.lastChunkCount {
        let steps = replay.steps(chunk: index, start: start, tokenCount: count)
        parts = zip(costs.layers, steps).map { layer, step in
          expertPart(layer, step, dense: denseSeconds(layer, start: start, tokenCount: count))
        }
        if averaged.contains(index) { for layer in sums.indices { sums[layer] += parts[layer] } }
      }
      for (layer, part) in zip(costs.layers, parts) {
        let dense = denseSeconds(layer, start: start, tokenCount: count)
        estimate.seconds += dense + part.seconds
        estimate.computeSeconds += dense + part.computeSeconds
        estimate.diskSeconds += part.diskSeconds
        estimate.readByteCount += part.missCount * Double(layer.expertByteCount)
        let touched =
          Double(layer.denseByteCount)
          + attendedCount(layer, start: start, tokenCount: count) * Double(layer.keyValueByteCount)
          + part.requestCount * Double(layer.expertByteCount)
        estimate.memorySeconds += touched / costs.memoryBytesPerSecond
        missCount += part.missCount
        requestCount += part.requestCount
      }
    }
    estimate.hitRate = requestCount > 0 ? 1 - missCount / requestCount : 1
    return estimate
  }

  private func denseSeconds(_ layer: RunCosts.Layer, start: Int, tokenCount: Int) -> Double {
    // The first tokens of a sequence see less than a window.
    let full = layer.attendedPositionMax ?? start + tokenCount
    let growing = min(max(full - start, 0), tokenCount)
    let positions =
      Double(growing) * (Double(start) + Double(growing + 1) / 2)
      + Double((tokenCount - growing) * full)
    return layer.dense.seconds(Double(tokenCount))
      + costs.chunkAttentionSecondsPerPosition * positions
  }

  /// Positions whose keys and values a chunk's tokens read between them.
  private func attendedCount(_ layer: RunCosts.Layer, start: Int, tokenCount: Int) -> Double {
    Double(min(start, layer.attendedPositionMax ?? start) + tokenCount)
  }

  private func expertPart(
    _ layer: RunCosts.Layer, _ step: RoutedStep, dense: Double
  ) -> ExpertPart {
    var part = ExpertPart()
    if layer.sizeClass == nil { return part }
    let missCount = step.requests.count - step.hitCount
    part.requestCount = Double(step.requests.count)
    part.missCount = Double(missCount)
    part.computeSeconds = step.requests.reduce(0) {
      $0 + layer.expert.seconds(Double($1.wanted.tokenCount))
    }
    if step.tokenCount == 1 {
      // One token's experts are computed side by side, as in decoding.
      let whole = decodeStep(layer, dense: dense, missCount: missCount)
      part.seconds = whole.seconds - dense
      part.diskSeconds = whole.diskSeconds
    } else {
      let early = missCount > 0 ? overlapShare * dense : 0
      let pipeline = ChunkPipeline(step, layer: layer, disk: costs.disk, earlySeconds: early)
      part.seconds = pipeline.seconds
      part.diskSeconds = pipeline.diskSeconds
    }
    return part
  }
}
