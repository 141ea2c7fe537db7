import MoEExperts
import Testing

@Suite struct PrefetchTrialTests {
  private typealias Cost = PrefetchTrial.Cost

  /// Decodes on a disk whose waiting for each missed byte is given for both ways, with misses that
  /// vary from token to token; returns for which tokens there were prefetches.
  private func decode(
    _ count: Int, waitingOff: Double, waitingOn: Double, computing: UInt64 = 1_000
  ) -> [Bool] {
    var trial = PrefetchTrial()
    return (0..<count).map { token in
      let isOn = trial.isOn
      let missed = 1000 + 777 * (token * token % 5)
      let stall = UInt64(Double(missed) * (isOn ? waitingOn : waitingOff))
      trial.end(
        Cost(nanoseconds: computing + stall, stallNanoseconds: stall, missedByteCount: missed))
      return isOn
    }
  }

  private let trialTokens = PrefetchTrial.windowTokenCount * PrefetchTrial.windowCount

  @Test func triesBothInTurnAndBeginsWithout() {
    let isOn = decode(trialTokens, waitingOff: 1, waitingOn: 1)
    let window = PrefetchTrial.windowTokenCount
    for token in 0..<trialTokens { #expect(isOn[token] == (token / window % 2 == 1)) }
  }

  @Test(arguments: [
    (1.0, 0.5, true), (1.0, 0.9, true), (1.0, 0.99, false), (1.0, 1.0, false), (1.0, 1.2, false),
  ])
  func keepsWhatWaitsLess(_ off: Double, _ on: Double, _ isWorthIt: Bool) {
    let isOn = decode(trialTokens + 100, waitingOff: off, waitingOn: on)
    #expect(isOn[trialTokens...].allSatisfy { $0 == isWorthIt })
  }

  @Test func doesWithoutWhereNothingIsWaitedFor() {
    let none = decode(trialTokens + 50, waitingOff: 0, waitingOn: 0)
    let little = decode(trialTokens + 50, waitingOff: 0.001, waitingOn: 0, computing: 1_000_000)
    for isOn in [none, little] { #expect(!isOn[trialTokens...].contains(true)) }
  }

  @Test func triesAgainAfterAWhile() {
    let cycle = trialTokens + PrefetchTrial.restTokenCount
    let isOn = decode(2 * cycle + 1, waitingOff: 1, waitingOn: 0.5)
    #expect(Array(isOn[0..<cycle]) == Array(isOn[cycle..<2 * cycle]))
    #expect(!isOn[cycle] && isOn[cycle - 1])
  }

  @Test func tokensThatMissNothingDecideNothing() {
    var trial = PrefetchTrial()
    for _ in 0..<trialTokens { trial.end(Cost(nanoseconds: 5)) }
    #expect(!trial.isOn)
  }
}
