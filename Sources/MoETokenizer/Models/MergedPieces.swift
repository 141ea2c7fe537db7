/// Finds pieces by joining characters (Kudo and Richardson 2018).
///
/// Neighbours join where the rules say so, the lowest rank first. Characters that are in no piece
/// are spelled in bytes (`<0x0A>`) or, where these are missing, are the unknown token.
struct MergedPieces<Rules: MergeRules>: WordPieces {
  private let pieces: Pieces
  private var merger: PairMerger<Rules>

  init(_ pieces: Pieces, rules: Rules) {
    self.pieces = pieces
    merger = PairMerger(rules: rules)
  }

  mutating func append(word: Span<UInt8>, to tokens: inout [Int32]) {
    merger.begin()
    var start = 0
    while start < word.count {
      let byteCount = word.scalar(at: start).byteCount
      let token = pieces.token(for: word.extracting(start..<start + byteCount))
      merger.append(token: token ?? -1, byteCount: byteCount)
      start += byteCount
    }
    var endsUnknown = false
    merger.merge(word)
    start = 0
    while start < word.count {
      let (token, end) = merger.symbol(at: start)
      if token >= 0 {
        tokens.append(token)
        endsUnknown = false
      } else {
        pieces.appendBytes(
          of: word.extracting(start..<end), to: &tokens, endsUnknown: &endsUnknown)
      }
      start = end
    }
  }
}

/// Joins two pieces whose texts together are a piece, the one of the highest score first.
struct ScoredPieces: MergeRules {
  let pieces: Pieces
  /// Place of each token's score among all scores, the highest first.
  let ranks: [Int32]

  func join(_ left: Int32, _ right: Int32, _ word: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    pieces.token(for: word.extracting(range))
  }

  func rank(of join: Int32) -> Int32 { ranks[Int(join)] }

  func token(of join: Int32) -> Int32 { join }

  /// Equal scores have equal ranks.
  static func ranks(of scores: [Float]) -> [Int32] {
    let order = scores.indices.sorted { scores[$0] > scores[$1] }
    var ranks = [Int32](repeating: 0, count: scores.count)
    var rank: Int32 = 0
    for (place, token) in order.enumerated() {
      if place > 0, scores[token] < scores[order[place - 1]] { rank += 1 }
      ranks[token] = rank
    }
    return ranks
  }
}
