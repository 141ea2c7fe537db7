import Foundation
import MoECore
import MoERuntime
import Testing

@Suite struct SamplerTests {
  private func sample(
    _ values: [Float], _ options: SamplingOptions, history: [Int32] = [], count: Int = 1
  ) throws -> [Int32] {
    var sampler = Sampler(options, vocabularySize: values.count)
    return try Logits(values).lend { view in
      (0..<count).map { _ in sampler.sample(view, history: history) }
    }
  }

  @Test func theDefaultsAreTheOnesDocumented() {
    let options = SamplingOptions()
    #expect(options.temperature == 0.8 && options.topK == 40 && options.topP == 0.95)
    #expect(options.minP == 0.05 && options.repeatPenalty == 1 && options.repeatLastCount == 64)
    #expect(options.seed == nil)
  }

  @Test func theSameSeedGivesTheSameTokens() throws {
    var generator = SeededGenerator(seed: 1)
    let values = Logits.random(500, &generator)
    var options = SamplingOptions()
    options.seed = 77
    let first = try sample(values, options, count: 100)
    #expect(try sample(values, options, count: 100) == first)
    options.seed = 78
    #expect(try sample(values, options, count: 100) != first)
    // Without a seed each sampler draws its own.
    options.seed = nil
    #expect(try sample(values, options, count: 100) != sample(values, options, count: 100))
  }

  @Test(arguments: [0, -1, -Float.infinity])
  func withoutTemperatureTheMostProbableTokenComes(_ temperature: Float) throws {
    for seed in 1...100 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let values = Logits.random(80, &generator)
      var options = SamplingOptions()
      options.temperature = temperature
      let largest = try #require(values.max())
      #expect(
        try sample(values, options) == [Int32(values.firstIndex(of: largest) ?? -1)],
        "seed \(seed)")
    }
  }

  @Test func ofEqualLogitsTheSmallestIdIsMostProbable() throws {
    let values: [Float] = [1, 5, 2, 5, 5, 0]
    #expect(try sample(values, .greedy) == [1])
    let two = try sample(values, .plain { $0.topK = 2 }, count: 200)
    #expect(Set(two) == [1, 3])
  }

  @Test func aRepeatPenaltyCanTurnTheGreedyChoice() throws {
    var options = SamplingOptions.greedy
    options.repeatPenalty = 2
    #expect(try sample([4, 3, -1], options, history: [0, 0, 0]) == [1])
    #expect(try sample([4, 3, -1], options, history: []) == [0])
    // Only as far back as asked for.
    options.repeatLastCount = 2
    #expect(try sample([4, 3, -1], options, history: [0, 2, 2]) == [0])
    options.repeatLastCount = -1
    #expect(try sample([4, 3, -1], options, history: [0, 2, 2]) == [1])
    // Negative logits fall too.
    #expect(try sample([-1, -1.5, -9], options, history: [0]) == [1])
  }

  @Test(arguments: [SamplingOptions.plain, .greedy, SamplingOptions()])
  func numbersThatAreNoneAreNeverDrawn(_ options: SamplingOptions) throws {
    let values: [Float] = [.nan, 1, .nan, 0.5, -.infinity, .nan]
    #expect(Set(try sample(values, options, count: 300)).isSubset(of: [1, 3]))
  }

  @Test(arguments: [SamplingOptions.plain, .greedy, SamplingOptions()])
  func anInfiniteLogitIsAlwaysDrawn(_ options: SamplingOptions) throws {
    let values: [Float] = [3, .infinity, 1, -.infinity]
    #expect(Set(try sample(values, options, count: 50)) == [1])
  }

  @Test(arguments: [SamplingOptions.plain, .greedy, SamplingOptions()])
  func whereNothingIsANumberSomeTokenComes(_ options: SamplingOptions) throws {
    for value in [Float.nan, -.infinity] {
      let tokens = try sample(Array(repeating: value, count: 5), options, count: 20)
      #expect(tokens.allSatisfy { $0 >= 0 && $0 < 5 })
    }
  }

  @Test func aVeryHighTemperatureMakesAllTokensEquallyProbable() throws {
    for temperature in [Float.greatestFiniteMagnitude, .infinity] {
      let options = SamplingOptions.plain { $0.temperature = temperature }
      let tokens = try sample([9, -9, 3, -.infinity], options, count: 3000)
      for token in 0..<3 as Range<Int32> {
        #expect((800...1200).contains(tokens.filter { $0 == token }.count), "token \(token)")
      }
      #expect(!tokens.contains(3))
    }
  }
}
