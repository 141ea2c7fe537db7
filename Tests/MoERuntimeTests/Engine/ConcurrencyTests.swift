import Foundation
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Several generations and several engines at once give what each gives alone.
@Suite struct ConcurrencyTests {
  private func prompt(_ number: Int) -> [Int32] { (0...number).map { Int32($0 * 37 % 512) } }

  @Test func generationsOnOneEngineWaitTheirTurn() async throws {
    let engine = try await TinyModel().engine()
    var alone: [[GeneratedToken]] = []
    for number in 0..<6 {
      alone.append(
        try await engine.generate(tokens: prompt(number), .wild(30, seed: UInt64(number)))
          .collect())
    }
    let together = try await withThrowingTaskGroup(of: (Int, [GeneratedToken]).self) { group in
      for number in 0..<6 {
        group.addTask {
          let options = GenerationOptions.wild(30, seed: UInt64(number))
          return (number, try await engine.generate(tokens: prompt(number), options).collect())
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for number in 0..<6 { #expect(together[number] == alone[number], "prompt \(number)") }
  }

  @Test func enginesInOneProcessDoNotDisturbEachOther() async throws {
    let models = [try TinyModel(.olmoe) { $0.seed = 1 }, try TinyModel(.qwen3moe) { $0.seed = 2 }]
    var alone: [[GeneratedToken]] = []
    for model in models {
      alone.append(try await model.engine().generate(tokens: prompt(5), .greedy(60)).collect())
    }
    let engines = [try await models[0].engine(), try await models[1].engine()]
    async let first = engines[0].generate(tokens: prompt(5), .greedy(60)).collect()
    async let second = engines[1].generate(tokens: prompt(5), .greedy(60)).collect()
    #expect(try await [first, second] == alone)
    #expect(alone[0] != alone[1])
  }

  @Test func generationAndPerplexityShareAnEngine() async throws {
    let engine = try await TinyModel().engine()
    let tokens = (0..<200).map { Int32($0 * 7 % 500) }
    var options = PerplexityOptions()
    options.windowTokenCount = 64
    let alone = try await engine.perplexity(of: tokens, options).perplexity
    let expected = try await engine.generate(tokens: prompt(4), .greedy(30)).collect()
    async let perplexity = engine.perplexity(of: tokens, options).perplexity
    async let generated = engine.generate(tokens: prompt(4), .greedy(30)).collect()
    #expect(try await perplexity == alone)
    #expect(try await generated == expected)
  }
}
