/// After how many tokens an expert is used again, and what of a token's experts others share.
package struct ReuseReport: Sendable, Equatable, Encodable {
  /// Reuses after more tokens than the bucket before, up to `last`.
  package struct Bucket: Sendable, Equatable, Encodable {
    package var last: Int
    package var count: Int
    /// Of all uses.
    package var share: Double
  }

  package struct Overlap: Sendable, Equatable, Encodable {
    /// Tokens between the two.
    package var lag: Int
    /// What share of a token's experts the earlier one took, too.
    package var share: Double
  }

  package let buckets: [Bucket]
  /// Uses of an expert for the first time in its sequence, over all uses.
  package let firstUseShare: Double
  /// Half of all reuses are within so many tokens; nil without any.
  package let median: Int?
  package let overlaps: [Overlap]
  /// The overlap of two tokens that choose by popularity alone: what exceeds it is locality.
  package let independentOverlap: Double
  /// The overlap of two tokens that choose evenly.
  package let evenOverlap: Double

  init(_ routing: RoutingSequences) {
    let distances = ReuseDistances(routing)
    let useCount = max(1, distances.reuseCount + distances.firstUseCount)
    buckets = distances.doublingBuckets.map {
      Bucket(last: $0.last, count: $0.count, share: Double($0.count) / Double(useCount))
    }
    firstUseShare = Double(distances.firstUseCount) / Double(useCount)
    median = distances.median
    let longest = routing.sequences.map(\.count).max() ?? 0
    overlaps = doublings(from: 1, through: min(longest - 1, 256)).compactMap { lag in
      routing.overlap(lag: lag).map { Overlap(lag: lag, share: $0) }
    }
    independentOverlap = ExpertUseCounts(routing).independentOverlap(
      expertsPerToken: routing.expertsPerToken)
    evenOverlap = Double(routing.expertsPerToken) / Double(routing.expertCount)
  }
}

/// How many different experts the tokens of a prompt's chunk need together.
package struct PromptReport: Sendable, Equatable, Encodable {
  package struct Chunk: Sendable, Equatable, Encodable {
    package var tokens: Int
    /// The mean share of a layer's experts that a chunk uses.
    package var share: Double
    /// The same if tokens chose evenly.
    package var evenShare: Double
    /// Experts read for each expert used.
    package var readsPerUse: Double
  }

  package let chunks: [Chunk]

  init(_ routing: RoutingSequences) {
    let expertCount = Double(routing.expertCount)
    chunks = ChunkUnion.doubling(routing).prefix { $0.chunkLength <= 4096 }.map {
      Chunk(
        tokens: $0.chunkLength, share: $0.mean / expertCount, evenShare: $0.evenMean / expertCount,
        readsPerUse: $0.readsPerUse)
    }
  }
}
