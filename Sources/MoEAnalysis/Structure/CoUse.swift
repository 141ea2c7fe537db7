/// How often the same token takes two experts of a layer, and an order of the experts in which
/// those that are taken together lie close to each other.
package struct CoUse: Sendable, Equatable {
  /// Of more, the pairs are too many to go through; no model has as many in a layer.
  package static let expertCountMax = 4096

  package let expertCount: Int
  /// (expert, expert): tokens that take both; 0 for an expert and itself.
  private var counts: [Int]

  /// - Parameter counts: (expert, expert), symmetric.
  package init(expertCount: Int, counts: [Int]) {
    precondition(counts.count == expertCount * expertCount)
    self.expertCount = expertCount
    self.counts = counts
    for expert in 0..<expertCount { self.counts[expert * expertCount + expert] = 0 }
  }

  /// - Parameters:
  ///   - layer: Of the trace's layers, from 0.
  ///   - expertCount: The model's, the trace's or more.
  ///   - tokens: Those that count.
  package init(_ trace: RoutingTrace, layer: Int, expertCount: Int, tokens: [Range<Int>]) {
    precondition(expertCount >= trace.expertCount)
    var counts = [Int](repeating: 0, count: expertCount * expertCount)
    for token in tokens.joined() {
      let selection = trace.selection(token: token, layer: layer)
      for first in selection {
        for second in selection where second != first {
          counts[Int(first) * expertCount + Int(second)] += 1
        }
      }
    }
    self.init(expertCount: expertCount, counts: counts)
  }

  package subscript(first: Int, second: Int) -> Int { counts[first * expertCount + second] }

  /// What an order costs: for each pair its tokens times the distance of the two. An order of least
  /// cost is a minimum linear arrangement, for which no fast way is known.
  package func cost(of order: [Int]) -> Int {
    var cost = 0
    for (place, first) in order.enumerated() {
      for (distance, second) in order[(place + 1)...].enumerated() {
        cost += self[first, second] * (distance + 1)
      }
    }
    return cost
  }

  /// An order of little cost, never of more than that by number: a chain and the order by number,
  /// each improved until no expert is better off in another place. The same counts give the same
  /// order.
  package func order() -> [Int] {
    let orders = [Array(0..<expertCount), chain()].map(improved)
    return cost(of: orders[1]) < cost(of: orders[0]) ? orders[1] : orders[0]
  }

  /// Begins with the two that are taken together most, and goes on at both ends with the expert
  /// that is taken most with the one at that end.
  private func chain() -> [Int] {
    guard expertCount > 2 else { return Array(0..<expertCount) }
    var best = (first: 0, second: 1)
    for first in 0..<expertCount {
      for second in first + 1..<expertCount
      where self[first, second] > self[best.first, best.second] {
        best = (first, second)
      }
    }
    var (front, back) = ([best.first], [best.second])
    var rest = (0..<expertCount).filter { $0 != best.first && $0 != best.second }
    while !rest.isEmpty {
      var next = (index: 0, count: -1, isFront: false)
      for (index, expert) in rest.enumerated() {
        let counts = (
          back: self[expert, back[back.count - 1]], front: self[expert, front[front.count - 1]]
        )
        if counts.back > next.count { next = (index, counts.back, false) }
        if counts.front > next.count { next = (index, counts.front, true) }
      }
      let expert = rest.remove(at: next.index)
      if next.isFront { front.append(expert) } else { back.append(expert) }
    }
    return front.reversed() + back
  }

  /// Moves one expert after the other to its best place until that changes nothing.
  private func improved(_ order: [Int]) -> [Int] {
    var order = order
    let totals = (0..<expertCount).map { expert in
      (0..<expertCount).reduce(0) { $0 + self[expert, $1] }
    }
    // (expert): its tokens with those before it.
    var before = [Int](repeating: 0, count: expertCount)
    for (place, expert) in order.enumerated() {
      before[expert] = order[..<place].reduce(0) { $0 + self[expert, $1] }
    }
    // Every pass costs less than the one before, so the bound is for time alone.
    for _ in 0..<Self.passCountMax {
      var isBetter = false
      for expert in 0..<expertCount {
        guard let place = order.firstIndex(of: expert) else { continue }
        let target = bestPlace(of: expert, at: place, in: order, before: before, totals: totals)
        guard target != place else { continue }
        isBetter = true
        order.remove(at: place)
        order.insert(expert, at: target)
        for passed in target > place ? order[place..<target] : order[target + 1...place] {
          let both = self[expert, passed]
          before[passed] += target > place ? -both : both
          before[expert] += target > place ? both : -both
        }
      }
      guard isBetter else { break }
    }
    return order
  }

  private static let passCountMax = 1000

  /// Where an expert costs least, the others keeping their order; where it is if nowhere is better.
  ///
  /// A step past a neighbor brings the expert further from all on one side and nearer to all on
  /// the other, and the neighbor the other way round; the two stay next to each other.
  private func bestPlace(
    of expert: Int, at place: Int, in order: [Int], before: [Int], totals: [Int]
  ) -> Int {
    var (best, bestCost) = (place, 0)
    for isForward in [true, false] {
      // What the expert has on the side that it leaves behind.
      var behind = isForward ? before[expert] : totals[expert] - before[expert]
      var cost = 0
      let passed = isForward ? Array(order[(place + 1)...]) : order[..<place].reversed()
      for (step, neighbor) in passed.enumerated() {
        let neighborBehind =
          isForward ? before[neighbor] : totals[neighbor] - before[neighbor]
        let both = self[expert, neighbor]
        cost += 2 * behind - totals[expert] - 2 * neighborBehind + totals[neighbor] + 2 * both
        behind += both
        if cost < bestCost {
          (best, bestCost) = (isForward ? place + step + 1 : place - step - 1, cost)
        }
      }
    }
    return best
  }
}

extension CoUse {
  /// Of all layers, the mean: how far apart a token's experts lie by number, and in an order that
  /// other texts gave: every second sequence teaches and the others are measured, and of a single
  /// one its first half teaches. Nil where layers have more experts than `expertCountMax`.
  package static func heldOutSpreads(
    _ trace: RoutingTrace
  ) -> (byNumber: Spread, byCoUse: Spread)? {
    guard trace.expertCount <= expertCountMax else { return nil }
    var halves = [trace.sequences.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)]
    halves.append(trace.sequences.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
    if trace.sequences.count == 1 {
      halves = [[0..<trace.tokenCount / 2], [trace.tokenCount / 2..<trace.tokenCount]]
    }
    var sums = (byNumber: Spread(), byCoUse: Spread())
    for layer in 0..<trace.layerCount {
      let coUse = CoUse(trace, layer: layer, expertCount: trace.expertCount, tokens: halves[0])
      func add(_ order: [Int], to sum: inout Spread) {
        let spread = spread(trace, layer: layer, tokens: halves[1], order: order)
        sum.passedOverCount += spread.passedOverCount / Double(trace.layerCount)
        sum.neighborCount += spread.neighborCount / Double(trace.layerCount)
      }
      add(Array(0..<trace.expertCount), to: &sums.byNumber)
      add(coUse.order(), to: &sums.byCoUse)
    }
    return sums
  }

  /// How far apart a token's experts lie in an order.
  package struct Spread: Sendable, Equatable {
    /// Experts between the first and the last that a token takes, which it does not take: the mean.
    package var passedOverCount: Double
    /// Pairs of a token's experts of which one lies right behind the other: the mean.
    package var neighborCount: Double

    package init(passedOverCount: Double = 0, neighborCount: Double = 0) {
      self.passedOverCount = passedOverCount
      self.neighborCount = neighborCount
    }
  }

  /// - Parameter order: (place): the expert.
  package static func spread(
    _ trace: RoutingTrace, layer: Int, tokens: [Range<Int>], order: [Int]
  ) -> Spread {
    var places = [Int](repeating: 0, count: order.count)
    for (place, expert) in order.enumerated() { places[expert] = place }
    var (passedOver, neighbors, tokenCount) = (0, 0, 0)
    for token in tokens.joined() {
      let taken = trace.selection(token: token, layer: layer).map { places[Int($0)] }.sorted()
      guard let first = taken.first, let last = taken.last else { continue }
      passedOver += last - first + 1 - taken.count
      neighbors += zip(taken, taken.dropFirst()).count { $1 == $0 + 1 }
      tokenCount += 1
    }
    let scale = 1 / Double(max(1, tokenCount))
    return Spread(
      passedOverCount: Double(passedOver) * scale, neighborCount: Double(neighbors) * scale)
  }
}
