/// Matches expressions against text, trying alternatives in their order as Perl's engine and its
/// descendants do.
///
/// What is left to be tried is a list, not recursion, so that text of any length is matched with
/// the same stack. The list is kept from match to match; it has an entry for each round of
/// a repeated group that might have to be undone.
struct ExpressionMatcher {
  private var choices: [Choice] = []
  /// Steps that are left for the text.
  private var stepsLeft = 0

  /// What to try if the way taken leads nowhere.
  private struct Choice {
    /// The instruction to go on at.
    var instruction: Int
    /// The byte to go on at.
    var position: Int
    /// For a run that gives back: the least position, which it has not reached; else `position`.
    var positionMin: Int
  }

  /// Published expressions take a handful of steps for each byte. Where one has needed more than
  /// this for each byte of a text, it has a pathological form; a match then fails that would take
  /// more for each byte that has been cut off since.
  private static let stepsPerByte = 256

  /// Begins with a text in which so many bytes will be looked at, all expressions together.
  mutating func begin(byteCount: Int) {
    stepsLeft = (byteCount + 16) * Self.stepsPerByte
  }

  /// So many bytes have been cut off.
  mutating func advance(byteCount: Int) { stepsLeft += byteCount * Self.stepsPerByte }

  /// The end of the match of an expression at a byte of a text; nil where it does not match.
  ///
  /// `text` is all that the expression sees: its ends are the ends of the text.
  mutating func end(
    of expression: Expression, in text: Span<UInt8>, at start: Int
  ) -> Int? {
    var entries = expression.firstEntries(in: text, at: start)
    while entries != 0 {
      let entry = expression.entries[entries.trailingZeroBitCount]
      if let end = run(expression, entry, text, start) { return end }
      entries &= entries - 1
    }
    return nil
  }

  /// Runs the program at an instruction until it accepts, and returns where.
  private mutating func run(
    _ expression: Expression, _ entry: Int, _ text: Span<UInt8>, _ start: Int
  ) -> Int? {
    let base = choices.count
    var (index, position) = (entry, start)
    while true {
      stepsLeft -= 1
      if stepsLeft < 0 {
        stepsLeft = 0
        choices.removeLast(choices.count - base)
        return nil
      }
      var isMatch = true
      switch expression.instructions[index] {
      case .one(let set):
        if position < text.count,
          let end = text.end(of: expression.sets[set], expression, at: position)
        {
          position = end
          index += 1
        } else {
          isMatch = false
        }
      case .run(let set, let min, let max, let givesBack):
        let run = text.run(
          of: expression.sets[set], expression, from: position, min: min, max: max)
        isMatch = run.positionMin >= 0
        index += 1
        position = run.end
        if isMatch && givesBack && run.positionMin < run.end {
          choices.append(
            Choice(instruction: index, position: run.end, positionMin: run.positionMin))
        }
      case .split(let first, let second, let forgets):
        if forgets { choices.removeLast(choices.count - base) }
        choices.append(Choice(instruction: second, position: position, positionMin: position))
        index = first
      case .jump(let target): index = target
      case .lookAhead(let body, let next, let isNegated):
        isMatch = (run(expression, body, text, position) != nil) != isNegated
        index = next
      case .atomic(let body, let next):
        if let end = run(expression, body, text, position) {
          position = end
          index = next
        } else {
          isMatch = false
        }
      case .position(let kind):
        isMatch = text.isPosition(kind, at: position)
        index += 1
      case .accept:
        choices.removeLast(choices.count - base)
        return position
      }
      if isMatch { continue }
      guard choices.count > base else { return nil }
      (index, position) = takeChoice(text)
    }
  }

  /// The last thing left to be tried, which gives back one more scalar if it is a run.
  private mutating func takeChoice(_ text: Span<UInt8>) -> (instruction: Int, position: Int) {
    let last = choices.count - 1
    let choice = choices[last]
    if choice.positionMin == choice.position {
      choices.removeLast()
      return (choice.instruction, choice.position)
    }
    let position = text.scalarStart(before: choice.position)
    if position == choice.positionMin {
      choices.removeLast()
    } else {
      choices[last].position = position
    }
    return (choice.instruction, position)
  }
}

extension Expression {
  /// The alternatives that could match at a byte, a bit for each.
  @inline(__always)
  func firstEntries(in text: Span<UInt8>, at index: Int) -> UInt64 {
    let byte = text[index]
    if byte < 0x80 { return firstOfASCII[Int(byte)] }
    return firstOfKind[Int(text.scalarKind(at: index).kind)]
  }
}

extension Span<UInt8> {
  /// The end of the scalar at an index if it belongs to a set.
  @inline(__always)
  fileprivate func end(of set: MatchedSet, _ expression: Expression, at index: Int) -> Int? {
    let byte = self[index]
    if byte < 0x80 { return set.contains(ascii: byte) ? index + 1 : nil }
    let (scalar, kind, end) = scalarKind(at: index)
    return expression.contains(set, scalar, kind: kind) ? end : nil
  }

  /// The end of a run of scalars of a set, `max` at most, and where it has `min` of them; -1 where
  /// it has fewer.
  fileprivate func run(
    of set: MatchedSet, _ expression: Expression, from start: Int, min: Int, max: Int
  ) -> (end: Int, positionMin: Int) {
    var (index, runCount) = (start, 0)
    var positionMin = min == 0 ? start : -1
    while index < count, runCount < max {
      guard let end = end(of: set, expression, at: index) else { break }
      index = end
      runCount += 1
      if runCount == min { positionMin = index }
    }
    return (index, positionMin)
  }

  fileprivate func isPosition(_ kind: ExpressionSyntax.Position, at index: Int) -> Bool {
    switch kind {
    case .textStart: index == 0
    case .textEnd: index == count
    case .lineStart: index == 0 || self[index - 1] == UInt8(ascii: "\n")
    case .lineEnd: index == count || self[index] == UInt8(ascii: "\n")
    case .wordBoundary: isWordBoundary(at: index)
    case .noWordBoundary: !isWordBoundary(at: index)
    }
  }

  private func isWordBoundary(at index: Int) -> Bool {
    let before = index > 0 && ScalarSet.word.contains(scalar(at: scalarStart(before: index)).value)
    let after = index < count && ScalarSet.word.contains(scalar(at: index).value)
    return before != after
  }
}
