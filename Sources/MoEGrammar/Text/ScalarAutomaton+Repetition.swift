extension ScalarAutomaton {
  /// What an automaton accepts if that is nothing but so many characters of one set, as
  /// `[a-z]{1,64}`. Such a text is counted rather than unrolled.
  struct Repetition {
    var characters: ScalarSet
    var counts: CountRange
  }

  var asRepetition: Repetition? {
    guard let start = states.first, !start.transitions.isEmpty else { return nil }
    let characters = Self.set(of: start)
    var counts = CountRange(min: 0, max: nil)
    var (state, count) = (0, 0)
    var hasAccepted = false
    while true {
      let current = states[state]
      // Once a count is enough, all larger ones have to be.
      if current.isAccepting {
        hasAccepted = true
      } else if hasAccepted {
        return nil
      } else {
        counts.min = count + 1
      }
      if current.transitions.isEmpty {
        counts.max = count
        return current.isAccepting ? Repetition(characters: characters, counts: counts) : nil
      }
      guard Self.set(of: current) == characters else { return nil }
      let target = Int(current.transitions[0].target)
      guard current.transitions.allSatisfy({ $0.target == target }) else { return nil }
      if target == state {
        return current.isAccepting ? Repetition(characters: characters, counts: counts) : nil
      }
      // A way back to an earlier state is a pattern of its own.
      if target < state { return nil }
      (state, count) = (target, count + 1)
    }
  }

  private static func set(of state: State) -> ScalarSet {
    ScalarSet(state.transitions.map { $0.first...$0.last })
  }
}
