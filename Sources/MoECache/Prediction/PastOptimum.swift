/// The fewest misses with which the requests so far could have been served: the offline optimum of
/// a layer's past, kept up to date while it is running.
///
/// A use hits if its expert was kept since the use before. Taken in the order in which they end,
/// such intervals are kept wherever every step in between has a slot left for them beside those of
/// its own experts; that gives as many hits as evicting what is used furthest in the future (both
/// are optimal). Only the last saturated step must be known, since nothing can be kept across it.
package struct PastOptimum: Sendable {
  private var slotCount: Int
  /// Steps that are remembered, a power of two; what comes back later counts as a miss.
  private let window: Int
  /// (step modulo the window): slots that nothing is kept in.
  private var roomCounts: [Int32]
  /// (expert of the layer): the last step that used it.
  private var lastSteps: [Int]
  private var step = 0
  private var lastSaturatedStep: Int
  package private(set) var missCount = 0

  /// Longer ago than any step that is remembered.
  private var never: Int { -window }

  /// - Parameter stepCount: Steps that must be remembered at least.
  package init(expertCount: Int, slotCount: Int, remembering stepCount: Int = 512) {
    self.slotCount = slotCount
    var window = 1
    while window < stepCount { window *= 2 }
    self.window = window
    roomCounts = [Int32](repeating: 0, count: window)
    lastSteps = [Int](repeating: -window, count: expertCount)
    lastSaturatedStep = -window
  }

  /// Begins anew with a cache that holds the experts for which `isHeld`.
  package mutating func restart(holding isHeld: (_ expert: Int) -> Bool) {
    step = 0
    missCount = 0
    lastSaturatedStep = never
    for expert in lastSteps.indices { lastSteps[expert] = isHeld(expert) ? 0 : never }
  }

  /// Steps from the next one on have so many slots; past ones keep what they had.
  package mutating func resize(slotCount: Int) { self.slotCount = slotCount }

  /// The next step uses experts of the layer. One that is named twice hits the second time.
  package mutating func add(_ experts: Span<Int>) {
    step += 1
    let room = slotCount - experts.count
    roomCounts[step & (window - 1)] = Int32(room)
    // Where a step needs more slots than there are, no more of its experts can be there next.
    var fromLastStep = slotCount
    for place in experts.indices {
      let last = lastSteps[experts[place]]
      if last == step { continue }
      lastSteps[experts[place]] = step
      if last == step - 1, fromLastStep > 0 {
        fromLastStep -= 1
      } else if last <= step - window || last < lastSaturatedStep || last == step - 1 {
        missCount += 1
      } else {
        keep(from: last)
      }
    }
    if room <= 0 { lastSaturatedStep = step }
  }

  /// Keeps an expert from one step to this one.
  private mutating func keep(from last: Int) {
    for between in last + 1..<step {
      let index = between & (window - 1)
      roomCounts[index] -= 1
      if roomCounts[index] <= 0 { lastSaturatedStep = max(lastSaturatedStep, between) }
    }
  }
}
