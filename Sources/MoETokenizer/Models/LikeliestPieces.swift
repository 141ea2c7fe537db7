/// Finds the pieces that are likeliest together (unigram model, Kudo 2018).
///
/// A word's likelihood is the product of its pieces' likelihoods, whose logarithms are the scores;
/// the best way to each character follows from the best ways to the ones before it (Viterbi). So
/// a word of n bytes takes time in n and the longest piece's length, and 16 bytes of scratch for
/// each of its bytes.
struct LikeliestPieces: WordPieces {
  private let pieces: Pieces
  private let scores: [Float]
  private let unknownScore: Double
  /// The best way to each byte's end.
  private var ways: [Way] = []

  private struct Way {
    var score = -Double.infinity
    var token: Int32 = -1
    var start: Int32 = 0
  }

  /// How much less likely than the least likely piece an unknown character is.
  private static let unknownPenalty = 10.0

  init(_ pieces: Pieces, scores: [Float]) {
    self.pieces = pieces
    self.scores = scores
    let known = scores.indices.filter { pieces.kinds[$0].isText }.map { scores[$0] }
    unknownScore = Double(known.min() ?? 0) - Self.unknownPenalty
  }

  mutating func append(word: Span<UInt8>, to tokens: inout [Int32]) {
    ways.removeAll(keepingCapacity: true)
    for _ in 0...word.count { ways.append(Way()) }
    ways[0].score = 0
    var start = 0
    while start < word.count {
      let end = start + word.scalar(at: start).byteCount
      extend(word, from: start, characterEnd: end)
      start = end
    }
    appendBestWay(word, to: &tokens)
  }

  /// Takes every piece that begins at a character one further.
  private mutating func extend(_ word: Span<UInt8>, from start: Int, characterEnd: Int) {
    let score = ways[start].score
    var isKnown = false
    var end = characterEnd
    let endMax = min(word.count, start + pieces.table.textByteCountMax)
    while end <= endMax {
      if let token = pieces.token(for: word.extracting(start..<end)) {
        if end == characterEnd { isKnown = true }
        take(token, score + Double(scores[Int(token)]), start, end)
      }
      if end == word.count { break }
      end += word.scalar(at: end).byteCount
    }
    if !isKnown { take(-1, score + unknownScore, start, characterEnd) }
  }

  private mutating func take(_ token: Int32, _ score: Double, _ start: Int, _ end: Int) {
    if score > ways[end].score { ways[end] = Way(score: score, token: token, start: Int32(start)) }
  }

  private mutating func appendBestWay(_ word: Span<UInt8>, to tokens: inout [Int32]) {
    // Found from the end; each way's start is overwritten by where the way before it began.
    var end = word.count
    var next = word.count
    while end > 0 {
      let start = Int(ways[end].start)
      ways[end].start = Int32(next)
      next = end
      end = start
    }
    var start = 0
    var endsUnknown = false
    end = next
    while start < word.count {
      let way = ways[end]
      if way.token >= 0 {
        tokens.append(way.token)
        endsUnknown = false
      } else {
        pieces.appendBytes(
          of: word.extracting(start..<end), to: &tokens, endsUnknown: &endsUnknown)
      }
      start = end
      end = Int(way.start)
    }
  }
}
