internal import Synchronization

/// A grammar joined with a vocabulary: what is known about which tokens are allowed where, shared
/// by all texts that are written by it.
///
/// It learns while it is used and keeps what it has learned within a bound (`byteCountMax`). Any
/// thread may use it, one at a time.
package final class CompiledGrammar: Sendable {
  package let vocabulary: GrammarVocabulary
  let graph: NodeGraph
  private let machine: Mutex<GrammarMachine>
  let start: GrammarMachine.Place

  /// Throws where a rule calls itself before it has read anything, where no text fits, and where
  /// the grammar needs more than is allowed.
  package init(
    _ grammar: Grammar, vocabulary: GrammarVocabulary
  ) throws(GrammarError) {
    let graph = try NodeGraph(NormalGrammar(grammar))
    var machine = GrammarMachine(graph, vocabulary)
    start = try machine.start()
    self.graph = graph
    self.vocabulary = vocabulary
    self.machine = Mutex(machine)
  }

  /// What it keeps in memory now, without the vocabulary.
  package var byteCount: Int { graph.byteCount + machine.withLock { $0.byteCount } }

  /// The most that it keeps in memory between two calls.
  package var byteCountMax: Int {
    graph.byteCount + 16 * graph.nodes.count + vocabulary.count / 8
      + 4 * vocabulary.tokenByteCountMax + Self.learnedByteCountMax
  }

  /// The most that any keeps of what it has learned.
  package static let learnedByteCountMax =
    GrammarLimits.stateByteCountMax + GrammarLimits.portableByteCountMax
    + GrammarLimits.judgementByteCountMax + GrammarLimits.maskByteCountMax

  func withMachine<Result: Sendable>(
    _ body: @Sendable (inout GrammarMachine) throws(GrammarError) -> Result
  ) throws(GrammarError) -> Result {
    try machine.withLock { (machine) throws(GrammarError) -> Result in try body(&machine) }
  }
}
