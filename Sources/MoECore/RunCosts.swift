/// What the parts of a run cost on one machine: filled in from measurements by the runtime, turned
/// into tokens per second by the performance model.
package struct RunCosts: Sendable, Equatable {
  package struct Layer: Sendable, Equatable {
    /// Everything of the layer but its experts and what grows with the context, for the tokens of a
    /// step together.
    package var dense: CostCurve
    /// One routed expert, for the tokens that take it.
    package var expert: CostCurve
    package var denseByteCount: Int
    package var expertByteCount: Int
    /// What the processors take to make an expert ready that was read, in a code or another form.
    package var finishSeconds: Double
    /// Which class of slots its experts share (`CacheGeometry`); nil for a layer without experts.
    package var sizeClass: Int?
    /// Keys and values of one position.
    package var keyValueByteCount: Int
    /// Positions that a token attends to at most, itself among them; nil: all.
    package var attendedPositionMax: Int?

    package init(
      dense: CostCurve, expert: CostCurve, denseByteCount: Int, expertByteCount: Int,
      finishSeconds: Double = 0, sizeClass: Int?, keyValueByteCount: Int,
      attendedPositionMax: Int? = nil
    ) {
      self.finishSeconds = finishSeconds
      self.dense = dense
      self.expert = expert
      self.denseByteCount = denseByteCount
      self.expertByteCount = expertByteCount
      self.sizeClass = sizeClass
      self.keyValueByteCount = keyValueByteCount
      self.attendedPositionMax = attendedPositionMax
    }

    /// Positions that the token at `position` attends to, of those before it and its own.
    package func attended(position: Int) -> Int {
      min(position, attendedPositionMax ?? position)
    }
  }

  package struct Disk: Sendable, Equatable {
    /// From the request of a batch of experts to its first bytes.
    package var latencySeconds: Double
    package var bytesPerSecond: Double
    /// Time that one token's products take while reads are under way, over the time they take else;
    /// at least 1. They wait for memory, which the disk writes to.
    package var computeSlowdown: Double
    /// The same for products of many tokens, which hardly wait for memory.
    package var chunkComputeSlowdown: Double
    /// The rate beside products of many tokens, over that beside those of one: reads that are done
    /// are only seen, and the next ones sent, between products.
    package var chunkRateShare: Double

    /// - Parameter chunkComputeSlowdown: Nil: as for one token.
    package init(
      latencySeconds: Double, bytesPerSecond: Double, computeSlowdown: Double,
      chunkComputeSlowdown: Double? = nil, chunkRateShare: Double = 1
    ) {
      self.latencySeconds = latencySeconds
      self.bytesPerSecond = bytesPerSecond
      self.computeSlowdown = computeSlowdown
      self.chunkComputeSlowdown = chunkComputeSlowdown ?? computeSlowdown
      self.chunkRateShare = chunkRateShare
    }

    /// Seconds for a batch of reads; none for an empty one.
    package func seconds(byteCount: Double) -> Double {
      byteCount > 0 ? latencySeconds + byteCount / bytesPerSecond : 0
    }
  }

  package var layers: [Layer]
  /// Slots of each size class at the position that is looked at.
  package var slotCounts: [Int]
  /// Those of them that are not in lent memory: how many experts a chunk of a prompt holds at a
  /// time depends on these.
  package var ownSlotCounts: [Int]
  /// (chunk, class): the slots while each chunk of a prompt is run, which is as long as that
  /// position; empty where they are as many as at the position.
  package var promptSlotCounts: [[Int]]
  /// Experts of the layer that has most.
  package var expertCount: Int
  package var expertsPerToken: Int
  /// All experts are in memory before the first token; there are no misses.
  package var isResident: Bool
  /// Prompt tokens that are run together.
  package var chunkTokenCount: Int
  /// Attention of one token over one position, in one layer.
  package var attentionSecondsPerPosition: Double
  /// The same where many tokens of a prompt are run together.
  package var chunkAttentionSecondsPerPosition: Double
  /// Final norm and output matrix, for the tokens that are drawn together.
  package var output: CostCurve
  package var outputByteCount: Int
  /// Drawing one token.
  package var samplingSeconds: Double
  /// Handing one operation to the worker team and waiting for it.
  package var forkSeconds: Double
  /// Reading memory with all threads.
  package var memoryBytesPerSecond: Double
  package var disk: Disk

  package init(
    layers: [Layer], slotCounts: [Int], ownSlotCounts: [Int]? = nil,
    promptSlotCounts: [[Int]] = [], expertCount: Int, expertsPerToken: Int, isResident: Bool,
    chunkTokenCount: Int, attentionSecondsPerPosition: Double,
    chunkAttentionSecondsPerPosition: Double, output: CostCurve, outputByteCount: Int,
    samplingSeconds: Double, forkSeconds: Double, memoryBytesPerSecond: Double, disk: Disk
  ) {
    self.layers = layers
    self.slotCounts = slotCounts
    self.ownSlotCounts = ownSlotCounts ?? slotCounts
    self.promptSlotCounts = promptSlotCounts
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.isResident = isResident
    self.chunkTokenCount = chunkTokenCount
    self.attentionSecondsPerPosition = attentionSecondsPerPosition
    self.chunkAttentionSecondsPerPosition = chunkAttentionSecondsPerPosition
    self.output = output
    self.outputByteCount = outputByteCount
    self.samplingSeconds = samplingSeconds
    self.forkSeconds = forkSeconds
    self.memoryBytesPerSecond = memoryBytesPerSecond
    self.disk = disk
  }

  /// The output for one token.
  package var outputSeconds: Double { output.seconds(1) }

  /// Slots of each size class while a chunk of a prompt is run.
  package func slotCounts(ofChunk index: Int) -> [Int] {
    promptSlotCounts.indices.contains(index) ? promptSlotCounts[index] : slotCounts
  }

  /// Slots that an even division of its class gives each layer, at most one per expert.
  package func slotsPerLayer(_ sizeClass: Int) -> Double {
    guard slotCounts.indices.contains(sizeClass) else { return 0 }
    let count = layers.count { $0.sizeClass == sizeClass }
    return min(Double(slotCounts[sizeClass]) / Double(max(1, count)), Double(expertCount))
  }

  /// The same, over all layers that have experts.
  package var meanSlotsPerLayer: Double {
    let classes = layers.compactMap(\.sizeClass)
    return classes.reduce(0.0) { $0 + slotsPerLayer($1) } / Double(max(1, classes.count))
  }

  /// Layers that have experts.
  package var routedLayerCount: Int { layers.count { $0.sizeClass != nil } }
}
