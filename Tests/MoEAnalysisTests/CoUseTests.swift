import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// The order by co-use: what it costs, and that it is as good as trying all orders tells.
@Suite struct CoUseTests {
  private static func random(expertCount: Int, seed: UInt64) -> CoUse {
    var random = SeededGenerator(seed: seed)
    var counts = [Int](repeating: 0, count: expertCount * expertCount)
    for first in 0..<expertCount {
      for second in 0..<first where Int.random(in: 0..<3, using: &random) > 0 {
        let count = Int.random(in: 0..<20, using: &random)
        counts[first * expertCount + second] = count
        counts[second * expertCount + first] = count
      }
    }
    return CoUse(expertCount: expertCount, counts: counts)
  }

  /// From the definition: by the place of each expert.
  private static func naiveCost(_ coUse: CoUse, _ order: [Int]) -> Int {
    var cost = 0
    for first in 0..<order.count {
      for second in 0..<order.count where first < second {
        let places = (order.firstIndex(of: first) ?? 0, order.firstIndex(of: second) ?? 0)
        cost += coUse[first, second] * abs(places.0 - places.1)
      }
    }
    return cost
  }

  private static func permutations(_ count: Int) -> [[Int]] {
    count == 0
      ? [[]]
      : permutations(count - 1).flatMap { shorter in
        (0...shorter.count).map { place in
          var longer = shorter
          longer.insert(count - 1, at: place)
          return longer
        }
      }
  }

  @Test func costsAreThoseOfTheDefinition() {
    for seed in 0..<20 as Range<UInt64> {
      let coUse = Self.random(expertCount: 9, seed: seed)
      var random = SeededGenerator(seed: seed)
      let order = Array(0..<9).shuffled(using: &random)
      #expect(coUse.cost(of: order) == Self.naiveCost(coUse, order), "seed \(seed)")
      #expect(coUse.cost(of: order) == coUse.cost(of: order.reversed()))
    }
  }

  /// All orders of a few experts: the best is found nearly always, and never missed by much.
  @Test(arguments: 0...7) func isNearlyTheBestOfAllOrders(_ expertCount: Int) {
    let all = Self.permutations(expertCount)
    var bestCount = 0
    for seed in 0..<20 as Range<UInt64> {
      let coUse = Self.random(expertCount: expertCount, seed: seed)
      let order = coUse.order()
      #expect(order.sorted() == Array(0..<expertCount), "seed \(seed)")
      let best = all.map { coUse.cost(of: $0) }.min() ?? 0
      let found = coUse.cost(of: order)
      #expect(found >= best && Double(found) <= 1.1 * Double(best), "seed \(seed)")
      bestCount += found == best ? 1 : 0
    }
    #expect(bestCount >= 14, "the best order was found \(bestCount) times of 20")
  }

  /// No expert is better off elsewhere, and no order costs more than that by number.
  @Test func noMoveOfOneExpertHelps() {
    for seed in 0..<10 as Range<UInt64> {
      let coUse = Self.random(expertCount: 24, seed: seed)
      let order = coUse.order()
      let cost = coUse.cost(of: order)
      #expect(cost <= coUse.cost(of: Array(0..<24)))
      for from in order.indices {
        for to in order.indices {
          var moved = order
          moved.insert(moved.remove(at: from), at: to)
          #expect(coUse.cost(of: moved) >= cost, "seed \(seed), \(from) to \(to)")
        }
      }
      #expect(coUse.order() == order)
    }
  }

  /// Groups that are taken together alone, their experts dealt out: each comes together again.
  @Test func groupsComeTogether() {
    let (expertCount, groupCount) = (20, 4)
    var counts = [Int](repeating: 0, count: expertCount * expertCount)
    for first in 0..<expertCount {
      for second in 0..<expertCount where first % groupCount == second % groupCount {
        counts[first * expertCount + second] = 3
      }
    }
    let order = CoUse(expertCount: expertCount, counts: counts).order()
    for start in stride(from: 0, to: expertCount, by: expertCount / groupCount) {
      let group = order[start..<start + expertCount / groupCount].map { $0 % groupCount }
      #expect(Set(group).count == 1, "\(order)")
    }
  }

  @Test func pairsAndSpreadsAreCounted() {
    // Two tokens, one layer, three of five experts.
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 3, experts: [0, 2, 4, 4, 0, 1])
    let coUse = CoUse(trace, layer: 0, expertCount: 5, tokens: [0..<2])
    #expect(coUse[0, 4] == 2 && coUse[4, 0] == 2 && coUse[0, 2] == 1 && coUse[1, 2] == 0)
    #expect(coUse[0, 0] == 0 && coUse[3, 1] == 0)
    let byNumber = CoUse.spread(trace, layer: 0, tokens: [0..<2], order: [0, 1, 2, 3, 4])
    #expect(byNumber == CoUse.Spread(passedOverCount: 2, neighborCount: 0.5))
    let better = CoUse.spread(trace, layer: 0, tokens: [0..<2], order: [2, 0, 4, 1, 3])
    #expect(better == CoUse.Spread(passedOverCount: 0, neighborCount: 2))
    #expect(CoUse(trace, layer: 0, expertCount: 5, tokens: [0..<1])[0, 4] == 1)
  }

  /// What one half teaches holds for the other where both route alike.
  @Test func ordersAreMeasuredOnOtherTexts() throws {
    let pairs: [Int32] = [0, 5, 1, 4, 2, 7, 3, 6]
    let trace = RoutingTrace(
      layerCount: 1, expertsPerToken: 2, experts: pairs + pairs, sequenceStarts: [0, 4])
    let spreads = try #require(CoUse.heldOutSpreads(trace))
    #expect(spreads.byNumber.passedOverCount == 3 && spreads.byNumber.neighborCount == 0)
    #expect(spreads.byCoUse == CoUse.Spread(passedOverCount: 0, neighborCount: 1))
    let single = RoutingTrace(layerCount: 1, expertsPerToken: 2, experts: pairs + pairs)
    #expect(CoUse.heldOutSpreads(single)?.byCoUse == spreads.byCoUse)
  }
}
