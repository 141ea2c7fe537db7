extension ScalarAutomaton {
  /// The texts that both accept.
  func intersection(
    _ other: ScalarAutomaton, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    if isEmpty || other.isEmpty { return ScalarAutomaton(trimming: []) }
    return try product(other, &budget, keepsWhatOtherRefuses: false) { $0 && $1 }
  }

  /// The texts that this one accepts and the other doesn't.
  func subtracting(
    _ other: ScalarAutomaton, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    if isEmpty || other.isEmpty { return self }
    return try product(other, &budget, keepsWhatOtherRefuses: true) { $0 && !$1 }
  }

  /// The texts of so many characters.
  func limited(
    to counts: CountRange, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    if isEmpty || (counts.min == 0 && counts.max == nil) { return self }
    // Pairs of a state and how many characters were read, which need not be told apart past the
    // last count that matters.
    let countMax = counts.max ?? counts.min
    struct Pair: Hashable {
      var state: Int32
      var count: Int
    }
    var numbers = [Pair(state: 0, count: 0): Int32(0)]
    var pairs = [Pair(state: 0, count: 0)]
    var result: [State] = []
    while result.count < pairs.count {
      let pair = pairs[result.count]
      try budget.spendState(result.count)
      var state = State(
        transitions: [],
        isAccepting: states[Int(pair.state)].isAccepting && pair.count >= counts.min)
      if counts.max == nil || pair.count < countMax {
        for var transition in states[Int(pair.state)].transitions {
          let next = Pair(state: transition.target, count: min(pair.count + 1, countMax))
          transition.target = numbers[next] ?? Int32(pairs.count)
          if numbers[next] == nil {
            numbers[next] = transition.target
            pairs.append(next)
          }
          try budget.spend()
          state.transitions.append(transition)
        }
      }
      result.append(state)
    }
    return ScalarAutomaton(trimming: result)
  }

  /// The same texts but for the empty one.
  var withoutEmptyText: ScalarAutomaton {
    guard let start = states.first, start.isAccepting else { return self }
    var copy = states
    copy.append(start)
    copy[0].isAccepting = false
    // Ways back to the start now lead to its copy, which accepts.
    for index in copy.indices {
      for place in copy[index].transitions.indices where copy[index].transitions[place].target == 0
      {
        copy[index].transitions[place].target = Int32(states.count)
      }
    }
    return ScalarAutomaton(trimming: copy)
  }

  private func product(
    _ other: ScalarAutomaton, _ budget: inout AutomatonBudget, keepsWhatOtherRefuses: Bool,
    accepts: (Bool, Bool) -> Bool
  ) throws(GrammarError) -> ScalarAutomaton {
    // The other's state is -1 where it has refused.
    var numbers: [UInt64: Int32] = [0: 0]
    var pairs: [(state: Int32, other: Int32)] = [(0, 0)]
    var result: [State] = []
    while result.count < pairs.count {
      let pair = pairs[result.count]
      try budget.spendState(result.count)
      let mine = states[Int(pair.state)]
      let others = pair.other < 0 ? State() : other.states[Int(pair.other)]
      var state = State(
        transitions: [], isAccepting: accepts(mine.isAccepting, others.isAccepting))
      for piece in Self.pieces(mine.transitions, others.transitions) {
        if piece.otherTarget < 0 && !keepsWhatOtherRefuses { continue }
        let key =
          UInt64(UInt32(bitPattern: piece.target)) << 32
          | UInt64(UInt32(bitPattern: piece.otherTarget))
        let target = numbers[key] ?? Int32(pairs.count)
        if numbers[key] == nil {
          numbers[key] = target
          pairs.append((piece.target, piece.otherTarget))
        }
        try budget.spend()
        state.transitions.append(
          Transition(first: piece.first, last: piece.last, target: target))
      }
      result.append(state)
    }
    return ScalarAutomaton(trimming: result)
  }

  private struct Piece {
    var first: UInt32
    var last: UInt32
    var target: Int32
    var otherTarget: Int32
  }

  /// The first transitions, cut where the others begin and end.
  private static func pieces(_ mine: [Transition], _ others: [Transition]) -> [Piece] {
    var result: [Piece] = []
    var index = 0
    for transition in mine {
      var next = transition.first
      while index < others.count && others[index].last < next { index += 1 }
      var place = index
      while next <= transition.last {
        guard place < others.count, others[place].first <= transition.last else {
          result.append(
            Piece(first: next, last: transition.last, target: transition.target, otherTarget: -1))
          break
        }
        let other = others[place]
        if other.first > next {
          result.append(
            Piece(
              first: next, last: other.first - 1, target: transition.target, otherTarget: -1))
          next = other.first
        }
        let last = min(other.last, transition.last)
        result.append(
          Piece(
            first: next, last: last, target: transition.target, otherTarget: other.target))
        next = last + 1
        place += 1
      }
    }
    return result
  }
}

/// From so many to so many; without a limit where `max` is nil.
struct CountRange: Hashable {
  var min = 0
  var max: Int?

  /// What both allow; nil where that is nothing.
  func intersection(_ other: CountRange) -> CountRange? {
    let min = Swift.max(self.min, other.min)
    guard let mine = max ?? other.max else { return CountRange(min: min, max: nil) }
    let max = Swift.min(mine, other.max ?? mine)
    return min <= max ? CountRange(min: min, max: max) : nil
  }
}
