/// Which rules are called where nothing has been read yet.
enum LeftCalls {
  /// Rules that call each other so in a circle, the first again at the end; nil where none do.
  static func circle(
    from root: Int, _ rules: [GrammarExpression], _ canBeNothing: [Bool]
  ) -> [Int]? {
    var condition = Array(repeating: Condition.unseen, count: rules.count)
    var callees: [[Int]] = Array(repeating: [], count: rules.count)
    // Every rule is a beginning: a circle may be reached behind something.
    for start in rules.indices where condition[start] == .unseen {
      var path = [start]
      condition[start] = .open
      callees[start] = leftRules(of: rules[start], canBeNothing)
      while let rule = path.last {
        guard let callee = callees[rule].popLast() else {
          condition[rule] = .done
          path.removeLast()
          continue
        }
        switch condition[callee] {
        case .done: break
        case .open:
          let place = path.firstIndex(of: callee) ?? 0
          return Array(path[place...]) + [callee]
        case .unseen:
          condition[callee] = .open
          callees[callee] = leftRules(of: rules[callee], canBeNothing)
          path.append(callee)
        }
      }
    }
    return nil
  }

  private enum Condition {
    case unseen
    case open
    case done
  }

  private static func leftRules(of rule: GrammarExpression, _ canBeNothing: [Bool]) -> [Int] {
    var found: [Int] = []
    collect(rule, canBeNothing, &found)
    return found
  }

  private static func collect(
    _ expression: GrammarExpression, _ canBeNothing: [Bool], _ found: inout [Int]
  ) {
    switch expression {
    case .character, .literal, .automaton: break
    case .rule(let number): found.append(number)
    case .repetition(let part, _, _): collect(part, canBeNothing, &found)
    case .choice(let parts): for part in parts { collect(part, canBeNothing, &found) }
    case .sequence(let parts):
      for part in parts {
        collect(part, canBeNothing, &found)
        if !part.canBeNothing(canBeNothing) { return }
      }
    }
  }
}
