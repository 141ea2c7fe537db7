/// Decides which rows the next step has: a token of every text that is being generated, and parts
/// of the prompts that are being read.
package struct StepSchedule {
  /// One request in progress.
  package struct Candidate: Sendable {
    /// Tokens that are to be run; those of a prompt may come in parts.
    package var pendingCount: Int
    package var isPrompt: Bool
    /// Tokens that have been run for it so far.
    package var servedCount: Int

    package init(pendingCount: Int, isPrompt: Bool, servedCount: Int) {
      self.pendingCount = pendingCount
      self.isPrompt = isPrompt
      self.servedCount = servedCount
    }
  }

  /// Rows of a step.
  package var rowCountMax: Int
  /// Rows of prompts beside texts that are being generated.
  package var promptRowCountMax: Int

  package init(rowCountMax: Int, promptRowCountMax: Int) {
    precondition(rowCountMax > 0 && promptRowCountMax > 0)
    self.rowCountMax = rowCountMax
    self.promptRowCountMax = promptRowCountMax
  }

  /// How many rows each candidate has. Whoever was served least comes first, of equals the earlier
  /// one; generated tokens before prompts.
  ///
  /// - Parameter readsPrompts: Whether prompts may be read beside generated tokens.
  package func rowCounts(_ candidates: [Candidate], readsPrompts: Bool) -> [Int] {
    var counts = [Int](repeating: 0, count: candidates.count)
    var rest = rowCountMax
    let order = candidates.indices.sorted {
      (candidates[$0].servedCount, $0) < (candidates[$1].servedCount, $1)
    }
    for index in order where !candidates[index].isPrompt {
      // Drafts of a text are verified together or not at all.
      guard candidates[index].pendingCount <= rest else { continue }
      counts[index] = candidates[index].pendingCount
      rest -= counts[index]
    }
    let generates = rest < rowCountMax
    if generates {
      if !readsPrompts { return counts }
      rest = min(rest, promptRowCountMax)
    }
    for index in order where candidates[index].isPrompt {
      counts[index] = min(candidates[index].pendingCount, rest)
      rest -= counts[index]
    }
    return counts
  }
}

/// Keeps to the share of the time that reading prompts may take while texts are generated.
package struct PromptPace {
  private let share: Double
  /// Seconds that the texts in progress are to have before another prompt is read.
  private var owedSeconds = 0.0

  /// - Parameter share: Above 0, up to 1: prompts are read whenever there are some.
  package init(share: Double) {
    precondition(share > 0 && share <= 1)
    self.share = share
  }

  package var mayRead: Bool { owedSeconds <= 0 }

  package mutating func didStep(seconds: Double, readPrompts: Bool, generated: Bool) {
    if !generated {
      // Nobody waited.
      owedSeconds = 0
    } else if readPrompts {
      owedSeconds += seconds * (1 - share) / share
    } else {
      owedSeconds = max(0, owedSeconds - seconds)
    }
  }
}
