package import MoEKernels

/// What a layer keeps of a sequence however long that is, in floats: the last rows of a
/// convolution, and behind them the memories of a recurrence.
///
/// A sequence that begins has zeros. What is kept belongs to one position, the one that the
/// sequence has come to: it can be saved and restored there, and not be cut to an earlier one. A
/// step leaves it as it is and writes the new one to a second place, so that a step that fails can
/// be tried again.
package struct RecurrentState: Sendable, Hashable {
  package var convolution: ConvolutionShape
  /// Nil where a convolution is all there is.
  package var recurrence: RecurrenceShape?

  /// Where the memories begin: with a cache line of their own.
  var recurrenceOffset: Int { (convolution.stateCount + 15) / 16 * 16 }

  package var count: Int { recurrenceOffset + (recurrence?.stateCount ?? 0) }

  /// What of the floats is anything.
  var parts: [Range<Int>] {
    [0..<convolution.stateCount, recurrenceOffset..<count].filter { !$0.isEmpty }
  }

  /// Without what lies between the parts.
  package var byteCount: Int { 4 * parts.reduce(0) { $0 + $1.count } }
}
