package import MoECore

/// One use of an expert by a step, as eviction policies see it.
package struct ExpertUse: Sendable, Equatable {
  package var layer: Int
  /// The expert's number among the experts of all layers.
  package var ordinal: Int
  /// Position, in the run of tokens, of the last token of the step that uses the expert.
  package var time: Int
  /// Tokens of the step that use the expert.
  package var tokenCount: Int
  /// Place in the token's selection, 0 for the best. Orders experts that are otherwise even.
  package var rank: Int
}

/// What one step selects in one layer, known before any of its experts is given a slot.
package struct LayerStep: ~Escapable {
  package let layer: Int
  /// Position of the step's last token.
  package let time: Int
  /// (token, rank), best first, -1 behind the last where a token takes fewer: the experts of the
  /// step's tokens, or of the last ones of each sequence. Empty where nobody said.
  package let experts: Span<Int>
  package let expertsPerToken: Int
  /// Whose tokens these are, in their order; empty where all of them are the first sequence's.
  private let runs: Span<KnownRun>

  @_lifetime(copy experts)
  package init(layer: Int, time: Int, experts: Span<Int>, expertsPerToken: Int) {
    self.init(
      layer: layer, time: time, experts: experts, expertsPerToken: expertsPerToken,
      runs: Span<KnownRun>())
  }

  /// - Parameter runs: Together as many rows as `experts` has tokens.
  @_lifetime(copy experts, copy runs)
  package init(
    layer: Int, time: Int, experts: Span<Int>, expertsPerToken: Int, runs: Span<KnownRun>
  ) {
    precondition(expertsPerToken > 0 && experts.count % expertsPerToken == 0)
    var rowCount = 0
    for index in runs.indices { rowCount += runs[index].rowCount }
    precondition(runs.isEmpty || rowCount == experts.count / expertsPerToken)
    self.layer = layer
    self.time = time
    self.experts = experts
    self.expertsPerToken = expertsPerToken
    self.runs = runs
  }

  package var tokenCount: Int { experts.count / expertsPerToken }

  package var runCount: Int { max(1, runs.count) }

  package func run(_ index: Int) -> KnownRun {
    runs.isEmpty
      ? KnownRun(SequenceID(rawValue: 0), rowCount: tokenCount, time: time) : runs[index]
  }

  /// Whether no sequence has several tokens in the step.
  var isDecode: Bool {
    for index in 0..<runCount where run(index).rowCount > 1 { return false }
    return true
  }

  /// The experts of one of the tokens in `experts`, best first.
  @_lifetime(copy self)
  func selection(ofToken token: Int) -> Span<Int> {
    let start = token * expertsPerToken
    var end = start + expertsPerToken
    while end > start, experts[end - 1] < 0 { end -= 1 }
    return experts.extracting(start..<end)
  }
}

/// Decides which expert loses its slot.
///
/// A policy keeps its notes by slot or by expert in memory that it takes when it is made and never
/// grows. It hears of every use and is asked for a victim once the size class has no empty slot. It
/// must not name a pinned slot, and must respect `SlotTable.mayGive` while that leaves any unpinned
/// slot; the conformance suite holds every registered policy to both.
package protocol EvictionPolicy: Sendable {
  /// A text begins under a name, of which nothing is known yet.
  mutating func beginSequence(_ sequence: SequenceID)
  /// The text under a name is over: its experts are wanted no more than by chance.
  mutating func endSequence(_ sequence: SequenceID)
  /// A layer runs a step: its residents have had their chance once it is over. The uses follow.
  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable)
  /// An expert of `use.layer` was given `slot`; the use is the one that caused it.
  mutating func insert(_ slot: Int, for use: ExpertUse)
  /// An expert of `use.layer` was given `slot` before anything asked for it: the use is none.
  mutating func adopt(_ slot: Int, for use: ExpertUse)
  /// The expert in `slot` was used again.
  mutating func touch(_ slot: Int, for use: ExpertUse)
  /// The slot lost its expert, as a victim or because its load failed.
  mutating func remove(_ slot: Int, of expert: ExpertID)
  /// The number of slots in use has changed (`SlotTable.evenShares`); slots that went have been
  /// removed.
  mutating func resize(in table: borrowing SlotTable)
  /// An unpinned slot for `expert`, which has none; nil where every slot of the class is pinned.
  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int?
}

extension EvictionPolicy {
  package mutating func beginSequence(_ sequence: SequenceID) {}

  package mutating func endSequence(_ sequence: SequenceID) {}

  package mutating func resize(in table: borrowing SlotTable) {}

  package mutating func adopt(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }
}
