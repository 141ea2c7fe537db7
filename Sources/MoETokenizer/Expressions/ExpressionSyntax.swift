/// A regular expression as a tree.
indirect enum ExpressionSyntax: Sendable, Equatable {
  /// One scalar of a set.
  case set(ScalarSet)
  case sequence([ExpressionSyntax])
  /// The first that leads to a match.
  case alternatives([ExpressionSyntax])
  /// From `min` to `max` times; without a limit if `max` is nil.
  case repetition(ExpressionSyntax, min: Int, max: Int?, Eagerness)
  /// What follows must match, or must not, and is not taken.
  case lookAhead(ExpressionSyntax, isNegated: Bool)
  /// Once matched, it is not matched in another way.
  case atomic(ExpressionSyntax)
  case position(Position)

  enum Eagerness { case greedy, lazy, possessive }

  enum Position {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
  }

  /// The fewest scalars that a match has.
  var lengthMin: Int {
    switch self {
    case .set: 1
    case .sequence(let parts): parts.reduce(0) { $0 + $1.lengthMin }
    case .alternatives(let parts): parts.map(\.lengthMin).min() ?? 0
    case .repetition(let part, let min, _, _): part.lengthMin * min
    case .atomic(let part): part.lengthMin
    case .lookAhead, .position: 0
    }
  }

  /// How matches may go on from here.
  struct Start {
    /// Scalars that may come first.
    var set = ScalarSet.empty
    /// Whether nothing need come, whatever follows in the text.
    var canBeNothing = false

    func union(_ other: Start) -> Start {
      Start(set: set.union(other.set), canBeNothing: canBeNothing || other.canBeNothing)
    }
  }

  /// How a match of this and then of what `rest` begins with may begin.
  ///
  /// Conditions on what follows count as if anything might come, and something had to.
  func start(before rest: Start) -> Start {
    switch self {
    case .set(let set): return Start(set: set)
    case .sequence(let parts): return parts.reversed().reduce(rest) { $1.start(before: $0) }
    case .alternatives(let parts):
      return parts.reduce(Start()) { $0.union($1.start(before: rest)) }
    case .repetition(let part, let min, _, _):
      // A second round begins as the first.
      let once = part.start(before: part.start(before: rest).union(rest))
      return min > 0 ? once : once.union(rest)
    case .atomic(let part): return part.start(before: rest)
    case .lookAhead, .position: return Start(set: .everything)
    }
  }
}
