import Foundation
import MoECore
import MoERuntime
import Testing

/// Every registered stage against the plain definition of sampling.
@Suite struct SamplerStageTests {
  /// Settings that switch a stage on, by its name.
  static let settings: [String: [@Sendable (inout SamplingOptions) -> Void]] = [
    "repeat-penalty": [
      { $0.repeatPenalty = 1.5 }, { ($0.repeatPenalty, $0.repeatLastCount) = (3, 4) },
      { ($0.repeatPenalty, $0.repeatLastCount) = (0.5, -1) },
    ],
    "top-k": [{ $0.topK = 1 }, { $0.topK = 7 }, { $0.topK = 10_000 }],
    "top-p": [
      { $0.topP = 1e-9 }, { $0.topP = 0 }, { $0.topP = 0.5 }, { $0.topP = 0.95 },
    ],
    "min-p": [{ $0.minP = 1e-6 }, { $0.minP = 0.1 }, { $0.minP = 1 }, { $0.minP = 7 }],
    "temperature": [{ $0.temperature = 0.1 }, { $0.temperature = 0.8 }, { $0.temperature = 3 }],
  ]

  static let names = SamplerRegistry.all.map(\.name)

  private func entry(_ name: String) throws -> SamplerEntry {
    try #require(SamplerRegistry.all.first { $0.name == name })
  }

  @Test(arguments: names) func isOffUnlessAskedFor(_ name: String) throws {
    #expect(try entry(name).make(.plain) == nil)
    let settings = try #require(Self.settings[name], "say how to switch \(name) on")
    for setting in settings { #expect(try entry(name).make(.plain(setting)) != nil) }
  }

  @Test(arguments: names) func keepsADistinctPartOfTheTokens(_ name: String) throws {
    let stage = try entry(name)
    for seed in 1...200 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let count = Int.random(in: 1...90, using: &generator)
      var values = Logits.random(count, &generator)
      // Ties, and values that no model should give.
      if count > 3 { values[1] = values[0] }
      if count > 9 { (values[4], values[7]) = (.nan, -.infinity) }
      let history = (0..<20).map { _ in Int32.random(in: 0..<Int32(count), using: &generator) }
      for setting in Self.settings[name] ?? [] {
        var candidates = Candidates(vocabularySize: count)
        try Logits(values).lend { candidates.load($0) }
        var made = stage.make(.plain(setting))
        made?.apply(to: &candidates, history: history)
        let kept = candidates.tokens.prefix(candidates.count)
        #expect(!kept.isEmpty && Set(kept).count == kept.count, "seed \(seed)")
        #expect(kept.allSatisfy { $0 >= 0 && $0 < count }, "seed \(seed)")
        #expect(!candidates.logits.prefix(candidates.count).contains { $0.isNaN }, "seed \(seed)")
      }
    }
  }

  /// One stage that is kept while a text grows against one that is made anew for every token.
  @Test(arguments: names) func aGrowingTextIsCountedAsAWholeOne(_ name: String) throws {
    let entry = try entry(name)
    for seed in 1...40 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let values = Logits.random(12, &generator)
      let whole = (0..<60).map { _ in Int32.random(in: 0..<12, using: &generator) }
      for setting in Self.settings[name] ?? [] {
        var kept = entry.make(.plain(setting))
        var length = 0
        while length <= whole.count {
          let history = Array(whole.prefix(length))
          var expected = Candidates(vocabularySize: 12)
          try Logits(values).lend { expected.load($0) }
          var found = expected
          kept?.apply(to: &found, history: history)
          var anew = entry.make(.plain(setting))
          anew?.apply(to: &expected, history: history)
          #expect(found.logits == expected.logits, "seed \(seed), \(length) tokens")
          length += Int.random(in: 1...7, using: &generator)
        }
      }
    }
  }

  /// By the definition's own words: every token of the window once, however often it is there.
  @Test(arguments: [(-1, 1...5), (3, 3...5), (5, 1...5), (64, 1...5)] as [(Int, ClosedRange<Int>)])
  func theWindowIsThatOfTheLatestTokens(lastCount: Int, penalised: ClosedRange<Int>) throws {
    var stage = try entry("repeat-penalty").make(
      .plain { ($0.repeatPenalty, $0.repeatLastCount) = (2, lastCount) })
    let values: [Float] = [1, 1, -1, 1, -1, 1, 1]
    var history: [Int32] = []
    var found = Candidates(vocabularySize: values.count)
    for token in 1...5 as ClosedRange<Int32> {
      history.append(token)
      try Logits(values).lend { found.load($0) }
      stage?.apply(to: &found, history: history)
    }
    let expected = values.enumerated().map { token, logit in
      penalised.contains(token) ? (logit > 0 ? logit / 2 : logit * 2) : logit
    }
    #expect(Array(found.logits.prefix(values.count)) == expected)
  }

  /// Draws come as often as the definition says. With the seed fixed the outcome is too; a right
  /// sampler would pass with all but one seed in some thousands.
  @Test(arguments: names) func drawsFromTheDefinedDistribution(_ name: String) throws {
    var generator = SeededGenerator(seed: 5)
    let values = Logits.random(60, &generator)
    let history: [Int32] = [3, 9, 9, 20, 41, 3, 7]
    for setting in Self.settings[name] ?? [] {
      try expectDraws(values, history: history, .plain(setting))
    }
  }

  @Test func allStagesTogetherDrawFromTheDefinedDistribution() throws {
    var generator = SeededGenerator(seed: 6)
    let values = Logits.random(300, &generator)
    var options = SamplingOptions()
    options.seed = 3
    options.repeatPenalty = 1.3
    try expectDraws(values, history: [5, 6, 7, 5], options)
    (options.topK, options.topP, options.minP, options.temperature) = (200, 0.99, 0.001, 1.7)
    try expectDraws(values, history: [5, 6, 7, 5], options)
  }

  /// A chi-square test; its statistic has a mean of the degrees of freedom and a variance of twice
  /// them, and four deviations are allowed.
  private func expectDraws(
    _ values: [Float], history: [Int32], _ options: SamplingOptions,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = NaiveSampling.distribution(values, history: history, options)
    let logits = try Logits(values)
    var sampler = Sampler(options, vocabularySize: values.count)
    var counts = Array(repeating: 0, count: values.count)
    let drawCount = 20_000
    logits.lend { view in
      for _ in 0..<drawCount { counts[Int(sampler.sample(view, history: history))] += 1 }
    }
    var (statistic, freedom) = (0.0, -1.0)
    var (rareExpected, rareCount) = (0.0, 0)
    for (token, probability) in expected.enumerated() {
      if probability == 0 {
        #expect(counts[token] == 0, "token \(token) is out", sourceLocation: sourceLocation)
      } else if probability * Double(drawCount) < 5 {
        // Too rare to be judged alone.
        rareExpected += probability * Double(drawCount)
        rareCount += counts[token]
      } else {
        let mean = probability * Double(drawCount)
        statistic += (Double(counts[token]) - mean) * (Double(counts[token]) - mean) / mean
        freedom += 1
      }
    }
    if rareExpected > 0 {
      let difference = Double(rareCount) - rareExpected
      statistic += difference * difference / rareExpected
      freedom += 1
    }
    let bound = freedom + 4 * (2 * max(freedom, 1)).squareRoot() + 4
    #expect(statistic <= bound, "chi-square \(statistic)", sourceLocation: sourceLocation)
  }
}
