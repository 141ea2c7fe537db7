import MoEAnalysis

/// A prompt in chunks through LRU caches of one layer each, in the plainest form: what the engine
/// does by its documentation, written down again.
struct NaiveChunks {
  let slotCount: Int
  let expertsPerToken: Int
  let chunkTokenCount: Int

  /// (chunk): misses of one layer.
  ///
  /// - Parameter selections: (token): its experts, best first.
  func missCounts(_ selections: [[Int]]) -> [Int] {
    /// Residents, each with its last use: token and, where that is the same, rank.
    var residents: [Int: (time: Int, rank: Int, call: Int)] = [:]
    var calls = 0
    var missCounts: [Int] = []
    for start in stride(from: 0, to: selections.count, by: chunkTokenCount) {
      let tokens = start..<min(start + chunkTokenCount, selections.count)
      var uses: [Int: (time: Int, rank: Int, call: Int)] = [:]
      for token in tokens {
        for (rank, expert) in selections[token].enumerated() { uses[expert] = (token, rank, 0) }
      }
      var held: Set<Int> = []
      func use(_ expert: Int) {
        calls += 1
        guard var use = uses[expert] else { return }
        use.call = calls
        residents[expert] = use
        held.insert(expert)
      }
      // What fits is asked for at once, best first, of even ranks the earlier token's; what does
      // not goes by number.
      let limit = max(slotCount, min(expertsPerToken, slotCount))
      let fits = uses.count <= limit
      func place(_ expert: Int) -> [Int] {
        fits ? [uses[expert]?.rank ?? 0, uses[expert]?.time ?? 0, expert] : [expert]
      }
      let order = uses.keys.sorted { place($0).lexicographicallyPrecedes(place($1)) }
      let keptMax = fits ? Int.max : limit - max(1, min(8, limit / 2))
      for expert in order where residents[expert] != nil && held.count < keptMax { use(expert) }
      var (missCount, next) = (0, 0)
      for expert in order {
        while next < order.count {
          if !held.contains(order[next]) {
            if held.count == limit { break }
            if residents[order[next]] == nil {
              missCount += 1
              if residents.count == slotCount {
                let victim = residents.filter { !held.contains($0.key) }.min {
                  ($0.value.time, -$0.value.rank, $0.value.call)
                    < ($1.value.time, -$1.value.rank, $1.value.call)
                }
                if let victim { residents[victim.key] = nil }
              }
            }
            use(order[next])
          }
          next += 1
        }
        if !fits { held.remove(expert) }
      }
      missCounts.append(missCount)
    }
    return missCounts
  }
}
