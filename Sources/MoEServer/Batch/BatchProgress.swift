/// How far a batch has come.
package struct BatchProgress: Sendable, Equatable {
  /// Requests, and those that have an answer or an error in the output.
  package var totalCount = 0
  package var doneCount = 0
  /// Of those, the ones that were done before this run.
  package var doneBeforeCount = 0
  /// Of this run: those that ended with an error, lines that are no requests included.
  package var errorCount = 0
  /// Tokens of this run.
  package var promptTokenCount = 0
  /// Tokens of prompts that were known from others.
  package var cachedTokenCount = 0
  package var generatedTokenCount = 0
  /// Since the first request of this run began.
  package var seconds = 0.0

  package init() {}

  package var tokensPerSecond: Double {
    seconds > 0 ? Double(generatedTokenCount) / seconds : 0
  }

  /// As if those to come took as long as those of this run; nil before there are any.
  package var secondsLeft: Double? {
    let count = doneCount - doneBeforeCount
    guard count > 0, seconds > 0 else { return nil }
    return seconds / Double(count) * Double(totalCount - doneCount)
  }
}
