#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How many different experts of a layer the tokens of a prompt's chunk use together: what a
/// prefill has to read.
package struct ChunkUnion: Sendable, Equatable {
  package let chunkLength: Int
  /// Chunks of just that length, all layers counted.
  package let chunkCount: Int
  /// Different experts of a chunk in a layer.
  package let mean: Double
  package let least: Int
  package let most: Int
  /// The mean over requests: experts read for each expert used. Falls as chunks grow.
  package let readsPerUse: Double
  /// What the mean would be if each token chose evenly: E (1 - (1 - k/E)^n).
  package let evenMean: Double

  /// Cuts each sequence into chunks as a prefill does, from its start; a rest is left out. Nil
  /// where no sequence is long enough.
  package init?(_ routing: RoutingSequences, chunkLength: Int) {
    guard chunkLength > 0 else { return nil }
    var (sum, chunkCount, useCount) = (0, 0, 0)
    var (least, most) = (Int.max, 0)
    // By expert: the last chunk that used it, and one more.
    var lastChunks = [Int](repeating: 0, count: routing.expertCount)
    for layer in 0..<routing.layerCount {
      for tokens in routing.sequences {
        for start in stride(
          from: tokens.lowerBound, through: tokens.upperBound - chunkLength, by: chunkLength)
        {
          chunkCount += 1
          var distinct = 0
          for token in start..<start + chunkLength {
            for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
              useCount += 1
              if lastChunks[Int(expert)] != chunkCount {
                lastChunks[Int(expert)] = chunkCount
                distinct += 1
              }
            }
          }
          sum += distinct
          (least, most) = (min(least, distinct), max(most, distinct))
        }
      }
    }
    guard chunkCount > 0 else { return nil }
    self.chunkLength = chunkLength
    self.chunkCount = chunkCount
    self.least = least
    self.most = most
    mean = Double(sum) / Double(chunkCount)
    readsPerUse = useCount > 0 ? Double(sum) / Double(useCount) : 0
    let expertCount = Double(routing.expertCount)
    let rate = Double(routing.expertsPerToken) / expertCount
    evenMean = expertCount * (1 - pow(max(0, 1 - rate), Double(chunkLength)))
  }

  /// Of chunk lengths 1, 2, 4 and so on, as far as there are sequences for them.
  package static func doubling(_ routing: RoutingSequences) -> [ChunkUnion] {
    var unions: [ChunkUnion] = []
    var length = 1
    while let union = ChunkUnion(routing, chunkLength: length) {
      unions.append(union)
      length *= 2
    }
    return unions
  }
}

/// Misses that no pool and no policy avoids: the first use of each expert.
package struct CompulsoryMisses: Sendable, Equatable {
  /// Where the pool is kept from sequence to sequence.
  package let continued: Int
  /// Where each sequence starts with an empty pool.
  package let restarted: Int
  package let requestCount: Int

  package init(_ routing: RoutingSequences) {
    var (continued, restarted, requestCount) = (0, 0, 0)
    // By expert: the last sequence that used it, and one more; 0 for none.
    var lastSequences = [Int](repeating: 0, count: routing.layerCount * routing.expertCount)
    for (sequence, tokens) in routing.sequences.enumerated() {
      for token in tokens {
        for layer in 0..<routing.layerCount {
          for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
            let index = layer * routing.expertCount + Int(expert)
            requestCount += 1
            if lastSequences[index] == 0 { continued += 1 }
            if lastSequences[index] != sequence + 1 { restarted += 1 }
            lastSequences[index] = sequence + 1
          }
        }
      }
    }
    (self.continued, self.restarted, self.requestCount) = (continued, restarted, requestCount)
  }
}
