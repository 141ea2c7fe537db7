package import MoECache
package import MoECore

/// The rows of a step through all layers: chunks of prompts and generated tokens of one or several
/// sequences, each sequence's rows side by side.
package struct StepRows: Sendable {
  /// In the order of the rows.
  package private(set) var runs: [SequenceRun] = []
  package private(set) var rowCount = 0
  private var hasPrefill = false

  /// Set beside an expert's index in a selection where its copy in fewer bits is taken.
  package static let lowBit: UInt32 = 1 << 30

  package init() {}

  package init(_ sequence: SequenceID, rowCount: Int, phase: InferencePhase) {
    append(sequence, rowCount: rowCount, phase: phase)
  }

  /// - Parameter phase: Whether these rows are of a prompt, or tokens that were generated.
  package mutating func append(_ sequence: SequenceID, rowCount: Int, phase: InferencePhase) {
    precondition(rowCount > 0)
    runs.append(SequenceRun(sequence, rowCount: rowCount))
    self.rowCount += rowCount
    if phase == .prefill { hasPrefill = true }
  }

  package mutating func removeAll() {
    runs.removeAll(keepingCapacity: true)
    (rowCount, hasPrefill) = (0, false)
  }

  /// What the step counts as: decoding where all its rows are generated tokens.
  package var phase: InferencePhase { hasPrefill ? .prefill : .decode }
}
