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

/// Decides which expert loses its slot.
///
/// A policy keeps its notes by slot in memory that it takes when it is made and never grows. It
/// hears of every use and is asked for a victim once the size class has no empty slot. It must not
/// name a pinned slot, and must respect `SlotTable.mayGive` while that leaves any unpinned slot;
/// the conformance suite holds every registered policy to both.
package protocol EvictionPolicy: Sendable {
  /// `layer` runs a step whose last token is at `time`: its residents have had their chance.
  mutating func beginStep(layer: Int, time: Int)
  /// An expert of `use.layer` was given `slot`; the use is the one that caused it.
  mutating func insert(_ slot: Int, for use: ExpertUse)
  /// The expert in `slot` was used again.
  mutating func touch(_ slot: Int, for use: ExpertUse)
  /// The slot lost its expert of `layer`, as a victim or because its load failed.
  mutating func remove(_ slot: Int, of layer: Int)
  /// An unpinned slot for a new expert of `layer`; nil where every slot of the class is pinned.
  mutating func victim(for layer: Int, in table: borrowing SlotTable) -> Int?
}
