/// Hits for every number of slots, from how many slots on each request hits.
package struct HitCurve: Sendable, Equatable {
  /// (slots): requests for experts used before that hit with so many; ascending.
  private let warmHitCounts: [Int]
  /// (slots): first uses that count as hits where cold misses are credited; ascending.
  private let coldHitCounts: [Int]
  package let requestCount: Int
  /// First uses of experts: misses of any number of slots, unless credited.
  package let compulsoryMissCount: Int

  /// - Parameters:
  ///   - warm: (slots - 1): requests that hit from just so many slots on.
  ///   - cold: (slots - 1): first uses for which so many slots suffice.
  init(warm: [Int], cold: [Int], requestCount: Int) {
    func sums(_ counts: [Int]) -> [Int] {
      counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }
    warmHitCounts = sums(warm)
    coldHitCounts = sums(cold)
    compulsoryMissCount = cold.reduce(0, +)
    self.requestCount = requestCount
  }

  private init(warmHitCounts: [Int], coldHitCounts: [Int], requestCount: Int, compulsory: Int) {
    self.warmHitCounts = warmHitCounts
    self.coldHitCounts = coldHitCounts
    self.requestCount = requestCount
    compulsoryMissCount = compulsory
  }

  /// Slots that hold all experts; more change nothing.
  package var slotCountMax: Int { warmHitCounts.count - 1 }

  package func hitCount(slots: Int, coldMisses: ReplayConventions.ColdMisses) -> Int {
    let index = min(max(slots, 0), slotCountMax)
    return warmHitCounts[index] + (coldMisses == .credited ? coldHitCounts[index] : 0)
  }

  /// Hits over requests; nil without requests.
  package func hitRate(slots: Int, coldMisses: ReplayConventions.ColdMisses) -> Double? {
    guard requestCount > 0 else { return nil }
    return Double(hitCount(slots: slots, coldMisses: coldMisses)) / Double(requestCount)
  }

  /// (slots): hit rates of 1 to all slots; empty without requests.
  package func hitRates(coldMisses: ReplayConventions.ColdMisses) -> [Double] {
    guard slotCountMax > 0 else { return [] }
    return (1...slotCountMax).compactMap { hitRate(slots: $0, coldMisses: coldMisses) }
  }

  /// Both together, each with the number of slots that is asked for.
  package static func + (left: HitCurve, right: HitCurve) -> HitCurve {
    func sums(_ first: [Int], _ second: [Int]) -> [Int] {
      (0..<max(first.count, second.count)).map {
        first[min($0, first.count - 1)] + second[min($0, second.count - 1)]
      }
    }
    return HitCurve(
      warmHitCounts: sums(left.warmHitCounts, right.warmHitCounts),
      coldHitCounts: sums(left.coldHitCounts, right.coldHitCounts),
      requestCount: left.requestCount + right.requestCount,
      compulsory: left.compulsoryMissCount + right.compulsoryMissCount)
  }

  static let empty = HitCurve(warm: [], cold: [], requestCount: 0)
}

/// Hit rates of one rule for every number of slots: of each part (layer or pool), and of each
/// sequence.
package struct HitCurves: Sendable {
  package let conventions: ReplayConventions
  /// (layer), or one for the pool.
  package let parts: [HitCurve]
  /// (sequence): of all parts together.
  package let sequences: [HitCurve]
  /// Slots that one token's experts take: of a layer, or in a pool of all layers.
  package let slotsPerToken: Int

  /// All parts together, each with the number of slots that is asked for.
  package var total: HitCurve { parts.reduce(.empty, +) }

  /// Hits over all requests, with so many slots in each part; nil without requests.
  package func hitRate(slots: Int) -> Double? {
    total.hitRate(slots: slots, coldMisses: conventions.coldMisses)
  }

  /// The mean over sequences of their hit rates, as published figures are made; nil without
  /// sequences.
  package func meanHitRate(slots: Int, bootstrap: Bootstrap = Bootstrap()) -> Estimate? {
    bootstrap.mean(
      sequences.compactMap { $0.hitRate(slots: slots, coldMisses: conventions.coldMisses) })
  }

  /// Slots at a multiple of what one token takes (rho), rounded.
  package func slots(perToken ratio: Double) -> Int {
    guard ratio.isFinite, ratio > 0 else { return 0 }
    return Int(min((ratio * Double(slotsPerToken)).rounded(), Double(Int32.max)))
  }
}
