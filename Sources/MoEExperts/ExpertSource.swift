package import MoECache
package import MoECore

/// Tells which experts are in memory.
package protocol ExpertResidency: AnyObject {
  /// Whether a step on the layer that begins now would find the expert without reading it. Follows
  /// from what was asked for before alone, not from when reads end.
  func isResident(layer: Int, expert: Int) -> Bool
}

/// Where the weights of routed experts come from: all of them in memory, or a pool filled from
/// disk.
///
/// A step of some rows through the model starts with `beginStep`; then in each layer with experts
/// goes `begin`, then for each request in whatever order suits `waitForAny` or `wait(for:)`,
/// `weights`, `release`, and at last `end`. One thread uses a source; between `begin` and `end` no
/// other may begin. What is computed must not depend on the order in which experts become ready, so
/// that results are the same for every source.
package protocol ExpertSource: ExpertResidency {
  var layout: ExpertLayout { get }

  /// A text begins under a name that no other has at the time, and ends: said by the owner of the
  /// sequences, before the first step with rows of it and after the last.
  func beginSequence(_ sequence: SequenceID)
  func endSequence(_ sequence: SequenceID)

  /// A step of some rows through all layers begins.
  func beginStep(_ rows: StepRows)

  /// Says what the step's rows select in a layer, before `begin` asks for it. Changes no result.
  ///
  /// - Parameter experts: (row, stride): the experts of each row, best first; where a row takes
  ///   fewer than others, all bits are set behind its last; `StepRows.lowBit` is set where the copy
  ///   in fewer bits is taken.
  func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int)

  /// Asks for experts of one layer, ascending by index and each once, for all rows that take them.
  /// Reads start here. Where it throws, nothing has begun.
  func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError)

  /// The numbers (positions in `requests`) of experts that became ready and have not been returned
  /// before, in `ready`, at least one; waits where none is. Returns how many there are, 0 once all
  /// have been returned. Only where the source holds every request (`holdsEveryRequest`).
  func waitForAny(_ ready: inout [Int]) throws(ExpertError) -> Int

  /// Waits until request `number` is ready. Requests must be waited for in ascending order; this
  /// works however few slots there are, as long as each is released before much later ones are
  /// waited for.
  func wait(for number: Int) throws(ExpertError)

  /// The weights of a ready request; valid until it is released.
  func weights(of number: Int) -> ExpertWeights

  /// Gives one expert back: its slot may be filled with another from now on.
  func release(_ number: Int)

  /// Ends the step: whatever has not been released is. Also after an error.
  func end()

  /// Whether all requests of the step in progress can be ready at the same time.
  var holdsEveryRequest: Bool { get }

  /// Whether `prefetch` for a layer can do any good: worth predicting what it will need.
  func canPrefetch(layer: Int) -> Bool

  /// Says which experts of a layer will probably be asked for next, most wanted first. Those worth
  /// it are read when nothing that was asked for waits for the disk. It is never waited for,
  /// changes no result, and reports no error: the step that needs the expert meets it again.
  func prefetch(layer: Int, guesses: [ExpertGuess])

  /// Memory that was lent to the source at first, besides its own; 0 where it takes none.
  var loanByteCount: Int { get }

  /// Changes how much of that memory, from its start on, the source may use: before a call with
  /// less returns, the rest has been given back to the system. Between steps only.
  func setLoan(byteCount: Int)

  /// Keeps reads going while the caller computes for long. Costs next to nothing.
  func advance()

  var statistics: ExpertStatistics { get }
}

extension ExpertSource {
  package func beginSequence(_ sequence: SequenceID) {}

  package func endSequence(_ sequence: SequenceID) {}

  package func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {}
}

/// Why experts could not be provided.
public enum ExpertError: Error, Sendable, CustomStringConvertible {
  /// The disk or the model file failed; the text says what, where and what to do.
  case store(String)
  /// The system refused the memory for the experts.
  case outOfMemory(String)

  public var description: String {
    switch self {
    case .store(let text), .outOfMemory(let text): text
    }
  }
}
