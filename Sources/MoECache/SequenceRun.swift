package import MoECore

/// Rows of a step, one behind the other, that are consecutive tokens of one sequence: a chunk of a
/// prompt, or one generated token.
package struct SequenceRun: Sendable, Equatable {
  package var sequence: SequenceID
  package var rowCount: Int

  package init(_ sequence: SequenceID, rowCount: Int) {
    self.sequence = sequence
    self.rowCount = rowCount
  }

  /// How many of each run's last rows policies hear of, (run): all of them where the step has no
  /// more than `SelectionHistory.tokenCount`, else as many of each as the longest ones leave room
  /// for, so that a long chunk never hides the tokens that others generate.
  package static func knownRowCounts(_ runs: [SequenceRun]) -> [Int] {
    var counts: [Int] = []
    addKnownRowCounts(runs.span, to: &counts)
    return counts
  }

  static func addKnownRowCounts(_ runs: Span<SequenceRun>, to counts: inout [Int]) {
    guard !runs.isEmpty else { return }
    let share = SelectionHistory.tokenCount / runs.count
    precondition(share > 0, "more sequences in a step than rows are remembered")
    var left = SelectionHistory.tokenCount
    for index in runs.indices {
      counts.append(min(runs[index].rowCount, share))
      left -= min(runs[index].rowCount, share)
    }
    for index in runs.indices {
      let more = min(left, runs[index].rowCount - counts[index])
      counts[index] += more
      left -= more
    }
  }
}

/// Rows of a step in one layer, as policies see them.
package struct KnownRun: Sendable, Equatable {
  package var sequence: SequenceID
  /// Rows in `LayerStep.experts`.
  package var rowCount: Int
  /// The number of the last of them among all rows that had this sequence's name. It never starts
  /// over, not with another text under that name either.
  package var time: Int

  package init(_ sequence: SequenceID, rowCount: Int, time: Int) {
    self.sequence = sequence
    self.rowCount = rowCount
    self.time = time
  }
}

/// Numbers the rows of steps: all of them in the order in which a cache serves them, and those of
/// each sequence by themselves.
struct StepClock: Sendable {
  /// Time of the step's first row.
  private(set) var time = 0
  /// Rows of the step.
  private(set) var rowCount = 0
  /// (run): the rows that policies hear of, and all rows.
  private(set) var runs: [KnownRun] = []
  private(set) var rowCounts: [Int] = []
  /// (sequence): its rows so far, the step's included.
  private var sequenceRowCounts: [Int]
  private var knownCounts: [Int] = []

  init(sequenceCountMax: Int) {
    sequenceRowCounts = [Int](repeating: 0, count: sequenceCountMax)
    runs.reserveCapacity(sequenceCountMax)
    rowCounts.reserveCapacity(sequenceCountMax)
    knownCounts.reserveCapacity(sequenceCountMax)
  }

  /// A step of some rows begins; the one before is over.
  mutating func beginStep(_ runs: Span<SequenceRun>) {
    time += rowCount
    rowCount = 0
    self.runs.removeAll(keepingCapacity: true)
    rowCounts.removeAll(keepingCapacity: true)
    knownCounts.removeAll(keepingCapacity: true)
    SequenceRun.addKnownRowCounts(runs, to: &knownCounts)
    for index in runs.indices {
      let run = runs[index]
      let sequence = run.sequence.rawValue
      precondition(run.rowCount > 0 && sequence < sequenceRowCounts.count)
      rowCount += run.rowCount
      rowCounts.append(run.rowCount)
      sequenceRowCounts[sequence] += run.rowCount
      self.runs.append(
        KnownRun(
          run.sequence, rowCount: knownCounts[index], time: sequenceRowCounts[sequence] - 1))
    }
  }

  /// Policies hear of so many rows only, the last ones of a step of one sequence.
  mutating func keepLast(_ knownCount: Int) {
    if runs.count == 1 { runs[0].rowCount = min(runs[0].rowCount, knownCount) }
  }
}
