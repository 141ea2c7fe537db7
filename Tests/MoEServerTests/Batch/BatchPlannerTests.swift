import MoECore
import MoEServer
import MoETestSupport
import Testing

@Suite struct BatchPlannerTests {
  private static func tokens(_ family: Int, _ shared: Int, own: Int, _ number: Int) -> [Int32] {
    (0..<shared).map { Int32(1000 * family + $0) } + (0..<own).map { Int32(-1 - 977 * number - $0) }
  }

  private static func planner(
    _ requests: [(prompt: [Int32], answer: Int)]
  ) -> BatchPlanner {
    var planner = BatchPlanner(capacity: requests.count)
    for (number, request) in requests.enumerated() {
      planner.append(
        BatchPlanner.Item(
          tag: number, promptTokenCount: request.prompt.count, answerTokenCount: request.answer,
          sketch: PrefixSketch(request.prompt)))
    }
    planner.arrange()
    return planner
  }

  @Test func nothingIsNothing() {
    var planner = Self.planner([])
    #expect(planner.next() == nil && planner.waitingCount == 0)
  }

  @Test func aFamilyWaitsForItsFirst() {
    let requests = (0..<4).map { (Self.tokens(1, 64, own: 20, $0), 10) }
    var planner = Self.planner(requests)
    let first = planner.next()
    #expect(first != nil && planner.next() == nil && planner.waitingCount == 3)
    planner.didReadPrompt(first ?? 0)
    #expect(planner.next() != nil && planner.next() != nil && planner.next() != nil)
    #expect(planner.next() == nil)
  }

  @Test func whereTheFirstFailsAnotherIsTheFirst() {
    var planner = Self.planner((0..<3).map { (Self.tokens(1, 64, own: 20, $0), 10) })
    let first = planner.next() ?? 0
    #expect(planner.next() == nil)
    planner.didEnd(first)
    let second = planner.next() ?? 0
    #expect(second != first && planner.next() == nil)
    // What the first one says late changes nothing.
    planner.didReadPrompt(first)
    #expect(planner.next() == nil)
    planner.didReadPrompt(second)
    #expect(planner.next() != nil)
  }

  @Test func strangersWaitForNobody() {
    var planner = Self.planner((0..<5).map { (Self.tokens($0, 40, own: 9, $0), 10) })
    #expect((0..<5).allSatisfy { _ in planner.next() != nil })
  }

  /// A little in common is none: a system prompt before long texts that differ.
  @Test func aFamilyHasAQuarterInCommon() {
    var near = Self.planner([
      (Self.tokens(1, 64, own: 190, 0), 1), (Self.tokens(1, 64, own: 190, 1), 1),
    ])
    #expect(near.next() != nil && near.next() == nil)
    var far = Self.planner([
      (Self.tokens(1, 64, own: 200, 0), 1), (Self.tokens(1, 64, own: 200, 1), 1),
    ])
    #expect(far.next() != nil && far.next() != nil)
  }

  @Test func longPromptsAndLongAnswersTakeTurns() {
    // Eight that read, eight that write.
    let requests = (0..<16).map { number in
      (Self.tokens(number, 0, own: number < 8 ? 1000 : 10, number), number < 8 ? 10 : 1000)
    }
    var planner = Self.planner(requests)
    var order: [Bool] = []
    while let number = planner.next() { order.append(number < 8) }
    #expect(order == (0..<16).map { $0 % 2 == 0 })
  }

  /// A naive batch: all of it begins once; families by a search over all pairs follow each other
  /// within what is taken from each end; what has begun has the mix of the whole to within the
  /// largest request.
  @Test(arguments: Fuzz.seeds(30000, iterationsPerRun: 100))
  func keepsFamiliesAndTheMixFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var requests: [(prompt: [Int32], answer: Int)] = []
    var families: [Int] = []
    for family in 0..<Int.random(in: 1...8, using: &random) {
      // Alike in length, so that all have a quarter in common.
      let (shared, own) = (
        [32, 64, 128].randomElement(using: &random) ?? 32, Int.random(in: 1...16, using: &random)
      )
      let answer = Int.random(in: 1...400, using: &random)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        requests.append((Self.tokens(family, shared, own: own, requests.count), answer))
        families.append(family)
      }
    }
    let places = requests.indices.shuffled(using: &random)
    (requests, families) = (places.map { requests[$0] }, places.map { families[$0] })
    var planner = Self.planner(requests)
    var (begun, reading): ([Int], [Int]) = ([], [])
    var read: Set<Int> = []
    while begun.count < requests.count {
      if let number = planner.next() {
        // Nobody begins while the first of the family reads.
        #expect(
          !reading.contains { families[$0] == families[number] }
            || read.contains(families[number]), "seed \(seed)")
        begun.append(number)
        reading.append(number)
      } else {
        guard let index = reading.indices.randomElement(using: &random) else {
          Issue.record("seed \(seed): nothing reads, and nothing may begin")
          return
        }
        let number = reading.remove(at: index)
        read.insert(families[number])
        planner.didReadPrompt(number)
        planner.didEnd(number)
      }
    }
    #expect(Set(begun).count == requests.count, "seed \(seed)")
    #expect(planner.next() == nil && planner.waitingCount == 0)
    // Two families are in progress at most: of the others all or none have begun.
    for end in begun.indices {
      let partly = Set(families).filter { family in
        let count = begun[...end].count { families[$0] == family }
        return count > 0 && count < families.count { $0 == family }
      }
      #expect(partly.count <= 2, "seed \(seed)")
    }
  }

  /// Without families nobody waits, so the mix is as near as whole requests allow.
  @Test(arguments: Fuzz.seeds(30000, iterationsPerRun: 100))
  func whatHasBegunHasTheMixOfTheWholeFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let requests = (0..<Int.random(in: 1...60, using: &random)).map { number in
      (
        Self.tokens(number, 0, own: Int.random(in: 1...500, using: &random), number),
        Int.random(in: 1...500, using: &random)
      )
    }
    let prompt = Double(requests.reduce(0) { $0 + $1.0.count })
    let answer = Double(requests.reduce(0) { $0 + $1.1 })
    let most = requests.map { abs(Double($0.0.count) * answer - Double($0.1) * prompt) }.max() ?? 0
    var planner = Self.planner(requests)
    var (read, written) = (0.0, 0.0)
    while let number = planner.next() {
      read += Double(requests[number].0.count)
      written += Double(requests[number].1)
      #expect(abs(read * answer - written * prompt) <= most * (1 + 1e-9), "seed \(seed)")
    }
    #expect(read == prompt && written == answer)
  }
}
