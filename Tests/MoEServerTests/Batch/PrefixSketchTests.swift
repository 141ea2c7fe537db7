import MoECore
import MoEServer
import MoETestSupport
import Testing

@Suite struct PrefixSketchTests {
  /// The longest of 16, 32, ..., 2048 tokens that both begin with.
  private static func naive(_ left: [Int32], _ right: [Int32]) -> Int {
    let common = zip(left, right).prefix { $0 == $1 }.count
    return (0..<8).map { 16 << $0 }.last { $0 <= common } ?? 0
  }

  @Test(arguments: Fuzz.seeds(40000, iterationsPerRun: 100))
  func saysHowFarPromptsAgreeFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let trunk = (0..<Int.random(in: 0...3000, using: &random)).map { _ in
      Int32.random(in: 0..<4, using: &random)
    }
    let prompts = (0..<6).map { _ in
      Array(trunk.prefix(Int.random(in: 0...3000, using: &random)))
        + (0..<Int.random(in: 0...100, using: &random)).map { _ in
          Int32.random(in: 0..<100_000, using: &random)
        }
    }
    for left in prompts {
      for right in prompts {
        let found = PrefixSketch(left).sharedTokenCount(with: PrefixSketch(right))
        #expect(found == Self.naive(left, right), "seed \(seed)")
      }
    }
  }

  /// Whoever begins alike stands together, at every length.
  @Test(arguments: Fuzz.seeds(10000, iterationsPerRun: 100))
  func orderKeepsFamiliesTogetherFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let prompts = (0..<40).map { _ in
      (0..<Int.random(in: 0...5, using: &random)).flatMap { _ in
        [Int32](repeating: Int32.random(in: 0..<3, using: &random), count: 16)
      }
    }
    let sketches = prompts.map { PrefixSketch($0) }.sorted { $0.precedes($1) ?? false }
    for length in [16, 32, 64] {
      for (place, sketch) in sketches.enumerated() {
        let mates = sketches.indices.filter {
          sketches[$0].sharedTokenCount(with: sketch) >= length
        }
        guard let first = mates.first, let last = mates.last else { continue }
        #expect(last - first + 1 == mates.count, "seed \(seed), place \(place), \(length) tokens")
      }
    }
  }
}
