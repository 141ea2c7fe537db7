extension ScalarAutomaton {
  /// Several texts: a tree of their beginnings.
  init(texts: [String], _ budget: inout AutomatonBudget) throws(GrammarError) {
    var states = [State()]
    var children: [UInt64: Int32] = [:]
    for text in texts {
      var state: Int32 = 0
      for scalar in text.unicodeScalars {
        let key = UInt64(state) << 32 | UInt64(scalar.value)
        if let child = children[key] {
          state = child
          continue
        }
        let child = Int32(states.count)
        try budget.spendCharacter()
        children[key] = child
        states[Int(state)].transitions.append(
          Transition(first: scalar.value, last: scalar.value, target: child))
        states.append(State())
        state = child
      }
      states[Int(state)].isAccepting = true
    }
    for index in states.indices { states[index].transitions.sort { $0.first < $1.first } }
    self.init(trimming: states)
  }

  /// One character of a set.
  init(character set: ScalarSet) {
    let transitions = set.ranges.map {
      Transition(first: $0.lowerBound, last: $0.upperBound, target: 1)
    }
    self.init(trimming: [State(transitions: transitions), State(isAccepting: true)])
  }

  /// All texts.
  static let all: ScalarAutomaton = {
    let transitions = ScalarSet.all.ranges.map {
      Transition(first: $0.lowerBound, last: $0.upperBound, target: 0)
    }
    return ScalarAutomaton(trimming: [State(transitions: transitions, isAccepting: true)])
  }()

  /// The automaton of a scanner: its conditions, what each character makes of them (nil: refused),
  /// and which are accepted. The scanner reads single characters of `alphabet`.
  init<Condition: Hashable>(
    scanning start: Condition, alphabet: String, budget: inout AutomatonBudget,
    step: (Condition, Unicode.Scalar) -> Condition?, accepts: (Condition) -> Bool
  ) throws(GrammarError) {
    let scalars = alphabet.unicodeScalars.sorted()
    var numbers = [start: Int32(0)]
    var conditions = [start]
    var states: [State] = []
    while states.count < conditions.count {
      let condition = conditions[states.count]
      try budget.spendState(states.count)
      var state = State(transitions: [], isAccepting: accepts(condition))
      for scalar in scalars {
        guard let next = step(condition, scalar) else { continue }
        let target = numbers[next] ?? Int32(conditions.count)
        if numbers[next] == nil {
          numbers[next] = target
          conditions.append(next)
        }
        try budget.spend()
        state.transitions.append(
          Transition(first: scalar.value, last: scalar.value, target: target))
      }
      states.append(state)
    }
    self.init(trimming: states)
  }
}

/// What making automata may still cost.
struct AutomatonBudget {
  private var stepCount = 0
  private var characterCount = 0
  /// Where in a schema the automaton is asked for.
  var place: GrammarError.Place?

  init(at place: GrammarError.Place? = nil) { self.place = place }

  mutating func spend(_ count: Int = 1) throws(GrammarError) {
    stepCount += count
    if stepCount > GrammarLimits.automatonStepCountMax {
      throw GrammarError(
        .limit,
        "regular expressions, formats and lengths take more than "
          + "\(GrammarLimits.automatonStepCountMax) steps to prepare", at: place)
    }
  }

  /// Before a character of a listed text.
  mutating func spendCharacter() throws(GrammarError) {
    characterCount += 1
    if characterCount > GrammarLimits.listedCharacterCountMax {
      throw GrammarError(
        .limit,
        "names and enum have more than \(GrammarLimits.listedCharacterCountMax) characters",
        at: place)
    }
  }

  /// Before one more state than so many.
  func spendState(_ count: Int) throws(GrammarError) {
    if count >= GrammarLimits.automatonStateCountMax {
      throw GrammarError(
        .limit,
        "a regular expression, a format or a length needs more than "
          + "\(GrammarLimits.automatonStateCountMax) states", at: place)
    }
  }
}
