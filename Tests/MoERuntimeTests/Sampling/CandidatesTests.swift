import MoECore
import MoERuntime
import Testing

/// Random operations on candidates and on a plain list of pairs, compared after each.
@Suite struct CandidatesTests {
  private struct Pair: Equatable {
    var token: Int32
    var logit: Float
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func behaveLikeASortedList(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let size = Int.random(in: 1...200, using: &generator)
    var candidates = Candidates(vocabularySize: size)
    var pairs: [Pair] = []
    var isSorted = false
    for step in 0..<60 {
      switch Int.random(in: 0..<5, using: &generator) {
      case 0 where pairs.isEmpty || step % 7 == 0:
        // Few different values, so that many are equal.
        let values = (0..<size).map { _ in Float(Int.random(in: -5...5, using: &generator)) }
        try Logits(values).lend { candidates.load($0) }
        pairs = values.enumerated().map { Pair(token: Int32($0), logit: $1) }
        isSorted = false
      case 1 where !pairs.isEmpty:
        let limit = Int.random(in: 1...size + 3, using: &generator)
        candidates.keepLargest(limit)
        if !isSorted { pairs.sort { ($0.logit, -$0.token) > ($1.logit, -$1.token) } }
        pairs = Array(pairs.prefix(limit))
        isSorted = true
      case 2 where isSorted:
        let limit = Int.random(in: 1...size, using: &generator)
        candidates.truncate(to: limit)
        pairs = Array(pairs.prefix(limit))
      case 3:
        let divisor = Float.random(in: 0.5...2, using: &generator)
        candidates.scale(by: divisor)
        for index in pairs.indices { pairs[index].logit /= divisor }
      case 4 where !isSorted && !pairs.isEmpty:
        let index = Int.random(in: 0..<pairs.count, using: &generator)
        candidates.setLogit(-2, at: index)
        pairs[index].logit = -2
      default: continue
      }
      let found = (0..<candidates.count).map {
        Pair(token: candidates.tokens[$0], logit: candidates.logits[$0])
      }
      try #require(found == pairs, "seed \(seed), step \(step)")
      try #require(candidates.isSorted == isSorted, "seed \(seed), step \(step)")
    }
  }
}
