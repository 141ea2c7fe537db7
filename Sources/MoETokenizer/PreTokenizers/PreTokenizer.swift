/// Cuts text into the words that byte-pair merges never cross.
///
/// Models define this by regular expressions, mostly one. Several are applied one after the other:
/// each cuts what the ones before it have left into its matches and what lies between them, and
/// sees no text beyond such a piece.
struct PreTokenizer: Sendable {
  let stages: [Stage]

  struct Stage: Sendable {
    let expression: Expression
    /// Whether what lies between matches is left out of the text.
    let dropsGaps: Bool
  }

  init(_ expressions: [(text: String, dropsGaps: Bool)]) throws(ExpressionError) {
    var stages: [Stage] = []
    for (text, dropsGaps) in expressions {
      stages.append(Stage(expression: try Expression(text), dropsGaps: dropsGaps))
    }
    self.stages = stages
  }

  /// What the expressions and their tables take in memory.
  var byteCount: Int {
    stages.reduce(0) {
      $0 + $1.expression.instructions.count * MemoryLayout<Expression.Instruction>.stride
        + ($1.expression.firstOfASCII.count + $1.expression.firstOfKind.count) * 8
    }
  }
}

/// Finds the words of a text one by one, with scratch that it keeps.
struct WordCutter {
  private let stages: [PreTokenizer.Stage]
  private var matcher = ExpressionMatcher()
  /// What is still to be cut, the leftmost last: at most two pieces for each stage.
  private var pieces: [Piece] = []

  private struct Piece {
    /// Where the text begins that the stage's expression sees.
    var origin: Int
    var start: Int
    var end: Int
    var stage: Int
  }

  init(_ preTokenizer: PreTokenizer) { stages = preTokenizer.stages }

  /// Begins with a text of some bytes; `next` is then called with this text.
  mutating func begin(byteCount: Int) {
    matcher.begin(byteCount: byteCount * stages.count)
    pieces.removeAll(keepingCapacity: true)
    pieces.append(Piece(origin: 0, start: 0, end: byteCount, stage: 0))
  }

  /// The next word; nil at the end of the text.
  mutating func next(in text: Span<UInt8>) -> Range<Int>? {
    while let piece = pieces.popLast() {
      if piece.start == piece.end { continue }
      if piece.stage == stages.count { return piece.start..<piece.end }
      cut(piece, text)
    }
    return nil
  }

  /// Cuts the first match off, and what lies before it.
  private mutating func cut(_ piece: Piece, _ text: Span<UInt8>) {
    let stage = stages[piece.stage]
    let seen = text.extracting(piece.origin..<piece.end)
    var start = piece.start - piece.origin
    var match: Range<Int>?
    while start < seen.count {
      if stage.expression.firstEntries(in: seen, at: start) != 0,
        let end = matcher.end(of: stage.expression, in: seen, at: start)
      {
        match = piece.origin + start..<piece.origin + end
        break
      }
      start += seen.scalar(at: start).byteCount
    }
    let gapEnd = match?.lowerBound ?? piece.end
    matcher.advance(byteCount: (match?.upperBound ?? piece.end) - piece.start)
    if let match {
      pieces.append(
        Piece(origin: piece.origin, start: match.upperBound, end: piece.end, stage: piece.stage))
      pieces.append(inner(match, piece))
    }
    if !stage.dropsGaps { pieces.append(inner(piece.start..<gapEnd, piece)) }
  }

  private func inner(_ range: Range<Int>, _ piece: Piece) -> Piece {
    Piece(
      origin: range.lowerBound, start: range.lowerBound, end: range.upperBound,
      stage: piece.stage + 1)
  }
}
