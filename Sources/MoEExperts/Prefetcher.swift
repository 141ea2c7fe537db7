import MoECore
import MoECache

/// How much is prefetched.
package struct PrefetchOptions: Sendable, Equatable {
  /// Staging slots of each size class, as of `PoolLayout.slots`.
  package var stagingSlotCount: Int?
  /// How likely a guess must be to be read. Nil: as likely as pays with the disk at hand.
  package var leastProbability: Double?

  package init(stagingSlotCount: Int? = nil, leastProbability: Double? = nil) {
    self.stagingSlotCount = stagingSlotCount
    self.leastProbability = leastProbability
  }

  /// Whether a trial decides if decoding prefetches at all; not where someone has decided.
  var isTried: Bool { stagingSlotCount == nil && leastProbability == nil }
}

/// A place of the pool for an expert that no step has asked for yet.
struct StagingSlot {
  enum State {
    case empty
    case loading
    case ready
  }

  let sizeClass: Int
  /// Meaningful unless the slot is empty.
  fileprivate(set) var expert = ExpertID(layer: 0, index: 0)
  fileprivate(set) var state = State.empty
  /// Which prefetch this was, counted from the first.
  fileprivate(set) var number = 0
}

/// Which experts are prefetched: the guesses in hand, slots that the cache knows nothing of, and
/// whether reading them pays.
///
/// Invariant: no two staging slots hold the same expert, loaded or loading, and none holds one that
/// the cache has a slot for, other than while that expert moves there. The guesses in hand are of
/// one layer, and each staging slot filled for them has a number from `wanted.firstNumber` on.
struct Prefetcher {
  /// Less likely than this is not worth a staging slot.
  private static let leastProbability = 0.4

  private let options: PrefetchOptions
  private(set) var slots: [StagingSlot] = []
  var wanted = WantedExperts()
  var pace = DiskPace()
  var meter = DecodeMeter()
  /// Counts prefetches, so that the oldest is known.
  private var count = 0

  init(_ options: PrefetchOptions, pool: PoolSlots) {
    self.options = options
    for (sizeClass, count) in pool.staging.enumerated() {
      for _ in 0..<count { slots.append(StagingSlot(sizeClass: sizeClass)) }
    }
  }

  /// Whether steps of a phase are prefetched for at all.
  func isOn(_ phase: InferencePhase) -> Bool {
    phase == .prefill || meter.trial.isOn || !options.isTried
  }

  mutating func want(_ guesses: [ExpertGuess], layer: Int) {
    wanted.begin(layer: layer, guesses: guesses, number: count)
  }

  /// Whether a guess should be read, as the last of `byteCount` bytes of guesses. In a long chunk
  /// the disk is waited for once for many tokens, and guesses are hardly ever wrong.
  func isWorthReading(_ guess: ExpertGuess, byteCount: Int, phase: InferencePhase) -> Bool {
    if let least = options.leastProbability { return guess.probability >= least }
    let least = phase == .prefill ? 0 : pace.leastProbability(byteCount: byteCount)
    return guess.probability >= max(least, Self.leastProbability)
  }

  /// The staging slot of an expert, loaded or on its way.
  func slot(of expert: ExpertID) -> Int? {
    slots.firstIndex { $0.state != .empty && $0.expert == expert }
  }

  /// An empty slot of the class, or else the one whose expert has waited longest in vain: for none
  /// of the guesses in hand, and for nothing that the step in progress `isPending` for.
  func freeSlot(sizeClass: Int, isPending: (ExpertID) -> Bool) -> Int? {
    var oldest: Int?
    for (index, slot) in slots.enumerated() where slot.sizeClass == sizeClass {
      switch slot.state {
      case .empty: return index
      case .loading: continue
      case .ready:
        if slot.number >= wanted.firstNumber || isPending(slot.expert) { continue }
        if let found = oldest, slots[found].number < slot.number { continue }
        oldest = index
      }
    }
    return oldest
  }

  /// An expert is being read into a slot; what was there is given up.
  mutating func begin(_ expert: ExpertID, in index: Int) {
    assert(slots[index].state != .loading && slot(of: expert) == nil)
    slots[index].expert = expert
    slots[index].state = .loading
    renew(index)
  }

  /// A slot's expert is guessed again: as good as new.
  mutating func renew(_ index: Int) {
    slots[index].number = count
    count += 1
  }

  mutating func becomeReady(_ index: Int) {
    assert(slots[index].state == .loading)
    slots[index].state = .ready
  }

  mutating func empty(_ index: Int) { slots[index].state = .empty }

  /// Experts on their way.
  var loadingCount: Int { slots.count { $0.state == .loading } }
}
