import MoECore
import MoERuntime
import MoETestSupport
import Testing

/// Which rows a step has.
@Suite struct StepScheduleTests {
  private typealias Candidate = StepSchedule.Candidate

  private func prompt(_ pending: Int, served: Int = 0) -> Candidate {
    Candidate(pendingCount: pending, isPrompt: true, servedCount: served)
  }

  private func text(served: Int = 0, drafts: Int = 0) -> Candidate {
    Candidate(pendingCount: 1 + drafts, isPrompt: false, servedCount: served)
  }

  @Test func generatedTokensComeFirst() {
    let schedule = StepSchedule(rowCountMax: 64, promptRowCountMax: 16)
    let counts = schedule.rowCounts([prompt(100), text(), text()], readsPrompts: true)
    #expect(counts == [16, 1, 1])
    #expect(schedule.rowCounts([prompt(100), text()], readsPrompts: false) == [0, 1])
    #expect(schedule.rowCounts([prompt(100), prompt(7)], readsPrompts: false) == [64, 0])
  }

  @Test func whoWasServedLeastComesFirst() {
    let schedule = StepSchedule(rowCountMax: 10, promptRowCountMax: 10)
    let counts = schedule.rowCounts(
      [prompt(100, served: 50), prompt(4, served: 0), prompt(9, served: 20)], readsPrompts: true)
    #expect(counts == [0, 4, 6])
    let few = StepSchedule(rowCountMax: 2, promptRowCountMax: 2)
    #expect(
      few.rowCounts([text(served: 9), text(served: 3), text(served: 5)], readsPrompts: true)
        == [0, 1, 1])
  }

  @Test func draftsAreNotCut() {
    let schedule = StepSchedule(rowCountMax: 6, promptRowCountMax: 6)
    let counts = schedule.rowCounts(
      [text(drafts: 3), text(served: 1, drafts: 4), text(served: 2)], readsPrompts: true)
    #expect(counts == [4, 0, 1])
  }

  @Test func everyStepIsFilledAndNobodyStarvesFuzz() {
    for seed in Fuzz.seeds(200) {
      var random = SeededGenerator(seed: seed)
      let schedule = StepSchedule(
        rowCountMax: Int.random(in: 1...40, using: &random),
        promptRowCountMax: Int.random(in: 1...40, using: &random))
      var rest = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        (
          prompt: Int.random(in: 1...80, using: &random),
          texts: Int.random(in: 0...30, using: &random)
        )
      }
      var served = rest.map { _ in 0 }
      var stepCount = 0
      while rest.contains(where: { $0.prompt + $0.texts > 0 }) {
        let active = rest.indices.filter { rest[$0].prompt + rest[$0].texts > 0 }
        let candidates = active.map { number in
          rest[number].prompt > 0
            ? prompt(rest[number].prompt, served: served[number]) : text(served: served[number])
        }
        let counts = schedule.rowCounts(candidates, readsPrompts: true)
        let sum = counts.reduce(0, +)
        #expect(sum > 0 && sum <= schedule.rowCountMax, "seed \(seed)")
        for (number, count) in zip(active, counts) {
          served[number] += count
          if rest[number].prompt > 0 {
            rest[number].prompt -= count
          } else {
            rest[number].texts -= count
          }
          #expect(rest[number].prompt >= 0 && rest[number].texts >= 0)
        }
        stepCount += 1
      }
      #expect(stepCount <= served.reduce(0, +))
    }
  }

  @Test func readingPromptsKeepsToItsShare() {
    var pace = PromptPace(share: 0.25)
    #expect(pace.mayRead)
    pace.didStep(seconds: 1, readPrompts: true, generated: true)
    for _ in 0..<3 {
      #expect(!pace.mayRead)
      pace.didStep(seconds: 1, readPrompts: false, generated: true)
    }
    #expect(pace.mayRead)
    pace.didStep(seconds: 1, readPrompts: true, generated: true)
    // Nobody waits any more.
    pace.didStep(seconds: 1, readPrompts: true, generated: false)
    #expect(pace.mayRead)
  }

  @Test func draftsAreAsLongAsPays() {
    var pace = DraftPace(lengthMax: 8)
    #expect(pace.length == 0)
    // Right guesses that cost little: it goes up to the longest.
    for _ in 0..<40 {
      let length = pace.length
      pace.didVerify(draftCount: length, acceptedCount: length, seconds: 1 + 0.1 * Double(length))
    }
    #expect(pace.length == 8)
    // Wrong ones: back to none.
    for _ in 0..<40 {
      let length = pace.length
      pace.didVerify(draftCount: length, acceptedCount: 0, seconds: 1 + 0.1 * Double(length))
    }
    #expect(pace.length <= 1)
    // Right ones that cost as much as the tokens one by one.
    var dear = DraftPace(lengthMax: 8)
    for _ in 0..<60 {
      let length = dear.length
      dear.didVerify(draftCount: length, acceptedCount: length, seconds: 1 + 1.2 * Double(length))
    }
    #expect(dear.length <= 1)
  }
}
