package import MoECore
package import MoEKernels
package import MoEModel

/// Writes the selections of a decoder to a routing trace as they are made.
///
/// Does nothing but copy into the writer's buffer: no allocation for a token, no waiting but for
/// the system's own `write` once the buffer is full.
package final class RoutingRecorder: DecoderObserver {
  private let writer: RoutingTraceWriter
  private let lastLayer: Int
  private var label = ""
  /// Where the sequence goes on; -1 where the next pass begins one.
  private var nextPosition = -1
  private var passTokenCount = 0

  /// - Parameter writer: A new one; its metadata has one layer for each of the decoder's.
  package init(_ writer: RoutingTraceWriter) {
    self.writer = writer
    lastLayer = writer.metadata.layers.last ?? 0
  }

  package var tokenCount: Int { writer.tokenCount }
  package var sequenceCount: Int { writer.sequenceCount }

  /// What comes next is another sequence.
  package func beginSequence(label: String) {
    self.label = label
    nextPosition = -1
  }

  /// Throws what the system refused so far.
  package func check() throws(RoutingTraceWriteError) {
    if let failure = writer.failure { throw failure }
  }

  /// Ends the file; returns its size in bytes.
  @discardableResult
  package func finish() throws(RoutingTraceWriteError) -> Int { try writer.finish() }

  package func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows]) {
    precondition(sequences.count == 1, "a trace is of one sequence at a time")
    let (position, phase) = (sequences[0].position, sequences[0].phase)
    // A pass that failed may come again, at the position that it had.
    if position != nextPosition {
      writer.beginSequence(label: label)
      nextPosition = position
    }
    passTokenCount = tokens.count
    writer.beginPass(tokenCount: tokens.count, phase: phase)
    for index in 0..<tokens.count { writer.add(token: Int32(bitPattern: tokens[index])) }
  }

  package func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
    for token in 0..<selection.tokenCount {
      let row = logits.row(token)
      writer.addSelection(
        count: selection.count(token: token),
        expert: { selection.expert(token: token, rank: $0) },
        weight: { selection.weight(token: token, rank: $0) },
        // An expert that this layer has not is one that is never chosen.
        logit: { $0 < logits.columnCount ? row[$0] : -.infinity })
    }
  }

  package func didFinish(layer: Int, _ hidden: FloatRows) {
    guard layer == lastLayer else { return }
    writer.endPass()
    nextPosition += passTokenCount
  }

  package func didEmbed(_ hidden: FloatRows) {}
  package func didNormalize(_ rows: FloatRows) {}
}
