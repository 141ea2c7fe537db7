internal import MoECore
internal import MoEKernels
internal import MoERuntime

/// Drawing a token from a vocabulary of 200,000: the default stages, the most probable token, and
/// everything that looks at the text before.
enum SamplingBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    var penalties = SamplingOptions()
    (penalties.repeatPenalty, penalties.dryMultiplier) = (1.1, 0.8)
    let cases = [("default", SamplingOptions()), ("greedy", .greedy), ("penalties", penalties)]
    return cases.map { name, options in
      Benchmark(name: "sampling/\(name)") { try drawing(options, context) }
    }
  }

  private static func drawing(
    _ options: SamplingOptions, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let vocabularySize = context.size(200_000, toy: 300)
    let rows = try BenchmarkMemory.floats(1, vocabularySize, seed: 1)
    let logits = rows.rows.row(0)
    // A model is sure of a few tokens.
    for place in 0..<8 { logits[place * vocabularySize / 8] = Float(9 - place) }
    let text = (0..<1000).map { Int32($0 % 97) }
    var options = options
    options.seed = 1
    var sampler = Sampler(options, vocabularySize: vocabularySize)
    var token: Int32 = -1
    return Benchmark.Prepared(
      byteCount: 4 * vocabularySize, memory: [rows.memory],
      run: { token = sampler.sample(logits, history: text) },
      isRight: {
        options.temperature == 0 ? token == 0 : (0..<Int32(vocabularySize)).contains(token)
      })
  }
}
