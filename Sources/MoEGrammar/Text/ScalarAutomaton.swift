/// A deterministic finite automaton over Unicode scalars: the texts of a regular expression, a
/// format, a list of strings or a range of numbers.
///
/// State 0 is the start. There is no state from which nothing is accepted any more, so an automaton
/// without states accepts nothing.
package struct ScalarAutomaton: Sendable {
  package struct Transition: Hashable, Sendable {
    package var first: UInt32
    package var last: UInt32
    package var target: Int32
  }

  package struct State: Sendable {
    /// In ascending order, without overlaps.
    package var transitions: [Transition] = []
    package var isAccepting = false
  }

  package private(set) var states: [State]

  /// Keeps of these states what the first reaches and what can still be accepted.
  init(trimming states: [State]) {
    self.states = states
    trim()
  }

  package var isEmpty: Bool { states.isEmpty }

  package func accepts(_ text: some Sequence<Unicode.Scalar>) -> Bool {
    if states.isEmpty { return false }
    var state = 0
    for scalar in text {
      guard let target = target(of: state, scalar.value) else { return false }
      state = target
    }
    return states[state].isAccepting
  }

  func target(of state: Int, _ scalar: UInt32) -> Int? {
    let transitions = states[state].transitions
    var (low, high) = (0, transitions.count)
    while low < high {
      let middle = (low + high) / 2
      if transitions[middle].last < scalar { low = middle + 1 } else { high = middle }
    }
    guard low < transitions.count, transitions[low].first <= scalar else { return nil }
    return Int(transitions[low].target)
  }

  private mutating func trim() {
    var predecessors: [[Int32]] = Array(repeating: [], count: states.count)
    for (index, state) in states.enumerated() {
      for transition in state.transitions {
        predecessors[Int(transition.target)].append(Int32(index))
      }
    }
    var isUseful = states.map(\.isAccepting)
    var pending = isUseful.indices.filter { isUseful[$0] }
    while let index = pending.popLast() {
      for predecessor in predecessors[index] where !isUseful[Int(predecessor)] {
        isUseful[Int(predecessor)] = true
        pending.append(Int(predecessor))
      }
    }
    guard isUseful.first ?? false else {
      states = []
      return
    }
    var numbers = Array(repeating: Int32(-1), count: states.count)
    var order = [0]
    numbers[0] = 0
    var next = 0
    while next < order.count {
      for transition in states[order[next]].transitions {
        let target = Int(transition.target)
        guard isUseful[target], numbers[target] < 0 else { continue }
        numbers[target] = Int32(order.count)
        order.append(target)
      }
      next += 1
    }
    states = order.map { renumbered(states[$0], numbers) }
  }

  private func renumbered(_ state: State, _ numbers: [Int32]) -> State {
    var result = State(transitions: [], isAccepting: state.isAccepting)
    for var transition in state.transitions where numbers[Int(transition.target)] >= 0 {
      transition.target = numbers[Int(transition.target)]
      if let last = result.transitions.last, last.target == transition.target,
        last.last &+ 1 == transition.first
      {
        result.transitions[result.transitions.count - 1].last = transition.last
      } else {
        result.transitions.append(transition)
      }
    }
    return result
  }
}
