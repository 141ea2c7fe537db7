package import MoECore

/// The next tokens of one sequence, as one of the sequences of a step.
package struct StepInput {
  package let sequence: SequenceState
  package let tokens: ArraySlice<Int32>
  package let phase: InferencePhase

  /// - Parameter tokens: At least one; ids that the caller has checked.
  package init(_ sequence: SequenceState, _ tokens: ArraySlice<Int32>, phase: InferencePhase) {
    self.sequence = sequence
    self.tokens = tokens
    self.phase = phase
  }
}

/// The rows of a step that belong to one sequence.
package struct SequenceRows: Sendable, Equatable {
  package let id: SequenceID
  package let phase: InferencePhase
  /// Rows of the step.
  package let rows: Range<Int>
  /// Position of the first of them in its sequence.
  package let position: Int
}
