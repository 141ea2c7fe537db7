import Foundation
import MoECache
import MoECore
import Testing

@Suite struct LearnedPolicyTests {
  @Test func theLogisticFunctionIsAccurate() {
    for step in -4000...4000 {
      let x = Float(step) / 100
      let value = logistic(SIMD8<Float>(repeating: x))[step & 7]
      let wanted = 1 / (1 + exp(-Double(x)))
      #expect(abs(Double(value) - wanted) <= 2e-6 * max(wanted, 1e-3), "\(x)")
    }
    for x in [-Float.greatestFiniteMagnitude, -1000, 1000, .greatestFiniteMagnitude] {
      let value = logistic(SIMD8<Float>(repeating: x))[0]
      #expect(x < 0 ? value >= 0 && value < 1e-15 : value == 1)
    }
  }

  /// Its sums go over 32 experts at a time and what is left, its residents over 64.
  @Test func agreesWithItsDefinitionInWideLayers() throws {
    let policy = try #require(PolicyRegistry.entry(named: "learned"))
    for seed in 0..<12 as Range<UInt64> {
      var run = try LockstepRun(policy: policy, seed: seed, expertCountMax: 150)
      for _ in 0..<300 { run.step() }
      if run.hasDiverged { break }
    }
  }

  /// Requests in which each expert calls for the next one: recency knows nothing of that.
  @Test func learnsWhatFollowsUponWhat() throws {
    var random = SeededGenerator(seed: 3)
    var current = 0
    let requests = (0..<4000).map { _ in
      // Mostly in one of two known orders, through all experts.
      current = random.nextUnit() < 0.9 ? (current + 5) % 16 : (current + 8) % 16
      return [current]
    }
    func hits(_ name: String) throws -> Int {
      let policy = try #require(PolicyRegistry.entry(named: name))
      return hitCount(requests, expertCount: 16, slotCount: 4, policy: policy)
    }
    let best = beladyHitCount(requests, slotCount: 4)
    let learned = try hits("learned")
    #expect(try hits("lru") < best / 8)
    #expect(learned > best / 2, "\(learned) of \(best)")
  }

  /// Estimates that are as wrong as can be: what was just used is least likely.
  private struct Antagonist: ReuseEstimator {
    let discount: Float = 0.8
    private var lastUses: [Int: Float] = [:]

    mutating func add(_ selection: Span<Int>, layer: Int, sequence: Int, time: Int) {
      for rank in selection.indices { lastUses[layer << 16 | selection[rank]] = Float(time) }
    }

    static func byteCount(_ geometry: CacheGeometry) -> Int { 0 }

    func write(layer: Int, to estimates: inout [Float], from first: Int) {
      for index in 0..<24 {
        estimates[first + index] = 1 / (2 + (lastUses[layer << 16 | index] ?? -1))
      }
    }
  }

  /// The promise of `RecencyGuard`, on requests that suit LRU well.
  @Test(arguments: 0..<12 as Range<UInt64>)
  func neverLosesMuchToRecencyWhateverIsEstimated(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let layerCount = Int.random(in: 1...4, using: &random)
    let slotCount = layerCount * Int.random(in: 3...8, using: &random)
    let geometry = uniform(layerCount: layerCount, expertCount: 24, slotCount: slotCount)
    var guarded = ExpertCache(geometry: geometry, policy: .learned { _ in Antagonist() })
    var recent = ExpertCache(
      geometry: geometry, policy: try #require(PolicyRegistry.entry(named: "lru")))
    var favourites = (0..<layerCount).map { _ in [0, 1, 2] }
    var isLosing = false
    for time in 0..<3000 {
      for layer in 0..<layerCount {
        if random.nextUnit() < 0.1 {
          favourites[layer] = Array((0..<24).shuffled(using: &random).prefix(3))
        }
        let experts = Array(favourites[layer].shuffled(using: &random).prefix(2))
        load(experts, of: layer, at: time, into: &guarded)
        load(experts, of: layer, at: time, into: &recent)
      }
      let lost = guarded.counters.missCount - recent.counters.missCount
      let allowed = 0.005 * Double(recent.counters.requestCount) + 1.5 * Double(slotCount)
      isLosing = isLosing || Double(lost) > 0.5 * Double(slotCount)
      // Changes are noticed a step late.
      #expect(Double(lost) <= allowed + 2, "seed \(seed), token \(time)")
    }
    // The antagonist did have its turn.
    #expect(isLosing, "seed \(seed)")
  }
}
