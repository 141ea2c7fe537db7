import Foundation
import MoECore
import MoEModel
import MoERuntime
import MoETestSupport
import Testing

/// Windows, strides and scoring against the definition, on logits that were taken one by one.
@Suite struct PerplexityTests {
  private let tokens: [Int32] = (0..<150).map { (index: Int32) in (index * index * 7 + index) % 512
  }

  /// The negative log-likelihoods of a window's tokens but the first.
  private func losses(_ window: [Int32], _ engine: Engine) async throws -> [Double] {
    try await engine.withDecoder { decoder in
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      return try window.dropLast().enumerated().map { index, token in
        try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
        let probabilities = NaiveSampling.softmax(decoder.lastLogits().array().map(Double.init))
        return -log(probabilities[Int(window[index + 1])])
      }
    }
  }

  @Test(arguments: [2, 7, 64, 150, 200], [1, 3])
  func windowsThatDoNotOverlapScoreAllButTheirFirstTokens(
    window: Int, logitRowCount: Int
  ) async throws {
    let engine = try await TinyModel().engine { $0.logitRowCount = logitRowCount }
    var expected: [Double] = []
    for start in stride(from: 0, to: tokens.count, by: window) {
      expected += try await losses(Array(tokens[start...].prefix(window)), engine)
    }
    var options = PerplexityOptions()
    options.windowTokenCount = window
    let result = try await engine.perplexity(of: tokens, options)
    #expect(result.tokens == expected.count)
    let mean = expected.reduce(0, +) / Double(expected.count)
    #expect(abs(result.meanNegativeLogLikelihood - mean) < 1e-5)
    #expect(abs(result.perplexity / exp(mean) - 1) < 1e-5)
  }

  @Test func overlappingWindowsScoreEveryTokenOnce() async throws {
    let engine = try await TinyModel().engine()
    let (window, step) = (40, 16)
    var expected = try await losses(Array(tokens[..<window]), engine)
    for start in stride(from: step, to: tokens.count - window + step, by: step) {
      let losses = try await losses(Array(tokens[start...].prefix(window)), engine)
      // Positions before window - step were scored by the window before.
      expected += losses.dropFirst(window - step - 1)
    }
    #expect(expected.count == tokens.count - 1)
    var options = PerplexityOptions()
    (options.windowTokenCount, options.stride) = (window, step)
    let result = try await engine.perplexity(of: tokens, options)
    #expect(result.tokens == expected.count)
    let mean = expected.reduce(0, +) / Double(expected.count)
    #expect(abs(result.meanNegativeLogLikelihood - mean) < 1e-5)
  }

  @Test func theSecondHalfOfWholeWindowsCanBeScoredAlone() async throws {
    let engine = try await TinyModel().engine()
    var expected: [Double] = []
    for start in [0, 64] {
      // The loss with the number i is of the token i + 1.
      expected += try await losses(Array(tokens[start..<start + 64]), engine).dropFirst(32)
    }
    var options = PerplexityOptions()
    (options.windowTokenCount, options.scoring) = (64, .secondHalf)
    let result = try await engine.perplexity(of: tokens, options)
    #expect(result.tokens == expected.count && result.tokens == 2 * 31)
    let mean = expected.reduce(0, +) / Double(expected.count)
    #expect(abs(result.meanNegativeLogLikelihood - mean) < 1e-5)
  }

  @Test func progressEndsWithTheText() async throws {
    let progress = Recorder<[Int]>()
    var options = PerplexityOptions()
    options.windowTokenCount = 64
    options.tokenCountMax = 140
    options.progress = { progress.append([$0, $1]) }
    let result = try await TinyModel().engine().perplexity(of: tokens, options)
    #expect(progress.all == [[64, 140], [128, 140], [140, 140]])
    #expect(result.tokens == 140 - 3 && result.seconds > 0)
  }

  static let refused: [@Sendable (inout PerplexityOptions) -> Void] = [
    { $0.windowTokenCount = 1 }, { $0.windowTokenCount = 257 }, { $0.windowTokenCount = -1 },
    { $0.stride = 0 }, { $0.stride = 600 }, { $0.tokenCountMax = 1 }, { $0.tokenCountMax = -1 },
    { ($0.windowTokenCount, $0.scoring) = (200, .secondHalf) },
  ]

  @Test(arguments: refused.indices)
  func whatCannotBeScoredIsRefused(_ index: Int) async throws {
    var options = PerplexityOptions()
    options.windowTokenCount = 64
    Self.refused[index](&options)
    let engine = try await TinyModel().engine()
    await #expect(throws: EngineError.self) {
      _ = try await engine.perplexity(of: tokens, options)
    }
    await #expect(throws: EngineError.self) { _ = try await engine.perplexity(of: [1, 2, 512]) }
  }
}
