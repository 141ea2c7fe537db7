import MoECompression
import MoECore
import Testing

/// The choice of formats within a size, against all choices.
@Suite struct FormatChoiceTests {
  /// Every choice, one number of an option for each layer.
  private func all(_ options: [[FormatChoice.Option]]) -> [[Int]] {
    options.reduce([[]]) { found, layer in
      found.flatMap { begun in layer.indices.map { begun + [$0] } }
    }
  }

  private func sums(
    _ choice: [Int], _ options: [[FormatChoice.Option]]
  ) -> (byteCount: Int, loss: Double) {
    zip(choice, options).reduce((0, 0)) {
      ($0.0 + $1.1[$1.0].byteCount, $0.1 + $1.1[$1.0].loss)
    }
  }

  private func randomOptions(_ generator: inout SeededGenerator) -> [[FormatChoice.Option]] {
    (0..<Int.random(in: 1...5, using: &generator)).map { _ in
      (0..<Int.random(in: 1...5, using: &generator)).map { _ in
        FormatChoice.Option(
          byteCount: Int.random(in: 1...40, using: &generator),
          loss: Double(Int.random(in: 0...30, using: &generator)))
      }
    }
  }

  @Test func theLayerThatGainsMostGetsTheBytes() {
    let choice = FormatChoice([
      [.init(byteCount: 10, loss: 5), .init(byteCount: 20, loss: 4)],
      [.init(byteCount: 10, loss: 9), .init(byteCount: 20, loss: 1)],
    ])
    #expect(choice.byteCountMin == 20)
    #expect(choice.best(byteCountMax: 19) == nil)
    #expect(choice.best(byteCountMax: 20) == [0, 0])
    #expect(choice.best(byteCountMax: 30) == [0, 1])
    #expect(choice.best(byteCountMax: 40) == [1, 1])
  }

  /// It fits, and what loses less is larger by as much as one step at most.
  @Test func noOtherChoiceOfAsManyBytesLosesLess() throws {
    for seed in UInt64(0)..<200 {
      var generator = SeededGenerator(seed: seed)
      let options = randomOptions(&generator)
      let choice = FormatChoice(options)
      let found = all(options).map { sums($0, options) }
      #expect(choice.byteCountMin == found.map(\.byteCount).min(), "seed \(seed)")
      let step = options.map { $0.map(\.byteCount).max() ?? 0 }.max() ?? 0
      let byteCountMax = Int.random(in: choice.byteCountMin...220, using: &generator)
      let best = sums(try #require(choice.best(byteCountMax: byteCountMax)), options)
      #expect(best.byteCount <= byteCountMax, "seed \(seed)")
      for other in found where other.byteCount <= byteCountMax - step {
        #expect(best.loss <= other.loss, "seed \(seed)")
      }
    }
  }
}
