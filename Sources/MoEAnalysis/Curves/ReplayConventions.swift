/// How a replay counts. Published hit rates differ by these as much as by the model.
package struct ReplayConventions: Sendable, Equatable {
  /// Whose experts share slots.
  package enum Scope: String, Sendable, Encodable {
    /// Each layer has slots of its own; capacities are slots of one layer.
    case layer
    /// One pool for all layers; capacities are slots of the model.
    case pool
  }

  /// Whose experts are looked up together, before any of them is read.
  package enum LookUp: String, Sendable, Encodable {
    /// All experts of a token, in a pool those of all layers. In a pool this is a fiction of
    /// papers: no model knows the experts of its last layer before its first has run.
    case token
    /// The experts of a token in one layer, as an engine asks for them.
    case layer
    /// One expert after the other.
    case expert
  }

  /// What the first use of an expert counts as.
  package enum ColdMisses: String, Sendable, Encodable {
    /// A miss.
    case counted
    /// A hit while fewer experts than slots were seen before: the pool is taken to be filled with
    /// the right ones beforehand.
    case credited
  }

  /// What becomes of the pool where a sequence ends.
  package enum Continuity: String, Sendable, Encodable {
    /// It is emptied: each sequence is a sample of its own.
    case restarted
    /// It stays as it is.
    case continued
  }

  /// Which of the experts looked up together cannot lose their slot to each other's misses.
  package enum Protection: String, Sendable, Encodable {
    /// None: an expert that hit may lose its slot before it runs, and is read unseen. Optimistic.
    case none
    /// Those that have not run yet.
    case pending
    /// All of them until the last has run, as in the engine.
    case step
  }

  /// In which order a layer's experts of one token run; the last one is the most recent.
  package enum Order: String, Sendable, Encodable {
    case asRecorded
    /// The router's favourite last.
    case bestLast
    /// By number.
    case ascending
  }

  package var scope: Scope
  package var lookUp: LookUp
  package var coldMisses: ColdMisses
  package var continuity: Continuity
  package var protection: Protection
  package var order: Order

  package init(
    scope: Scope, lookUp: LookUp, coldMisses: ColdMisses, continuity: Continuity,
    protection: Protection, order: Order
  ) {
    self.scope = scope
    self.lookUp = lookUp
    self.coldMisses = coldMisses
    self.continuity = continuity
    self.protection = protection
    self.order = order
  }

  /// Of the code of October 2025 behind arXiv 2505.16056, versions 1 and 2: one pool, one expert
  /// after the other through all layers. A pool smaller than a token's working set never hits.
  package static let october = ReplayConventions(
    scope: .pool, lookUp: .expert, coldMisses: .counted, continuity: .restarted, protection: .none,
    order: .ascending)
  /// Of the code of December 2025 behind arXiv 2505.16056 from version 3 on (ICLR 2026): one pool,
  /// all experts of a token looked up together.
  package static let december = ReplayConventions(
    scope: .pool, lookUp: .token, coldMisses: .credited, continuity: .restarted, protection: .none,
    order: .ascending)
  /// Of this engine: slots by layer, kept from sequence to sequence.
  package static let engine = ReplayConventions(
    scope: .layer, lookUp: .layer, coldMisses: .counted, continuity: .continued, protection: .step,
    order: .bestLast)

  /// The same with a scope of its own.
  package func scoped(_ scope: Scope) -> ReplayConventions {
    var copy = self
    copy.scope = scope
    return copy
  }
}
