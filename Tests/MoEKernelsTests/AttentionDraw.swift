import MoECore
import MoEKernels
import MoETestSupport

/// Attention drawn at random.
extension AttentionStep {
  /// Positions that a row of `random` may reach back without a ring having forgotten them.
  var reach: Int {
    sequences.map { sequence in
      guard let ring = sequence.view.ringPageCount else { return sequence.positions }
      return (ring - 3) * sequence.view.pagePositionCount
    }.min()!
  }

  var forgets: Bool { sequences.contains { $0.view.ringPageCount != nil } }

  /// Up to five sequences of up to 40 rows each, in pages and rings of any size that holds them.
  static func random(
    _ level: InstructionSet, _ generator: inout SeededGenerator
  ) throws -> AttentionStep {
    func draw(_ range: ClosedRange<Int>) -> Int {
      range.lowerBound + Int(generator.next() % UInt64(range.count))
    }
    let kvHeads = draw(1...4)
    var shape = AttentionShape(kvHeads * draw(1...9), kvHeads, draw(1...96), draw(1...96))
    if draw(0...3) == 0 {
      shape.keyWidth = 8 * draw(1...24)
      shape.valueWidth = 16 * draw(1...12)
    }
    shape.valuesLieInKeys = shape.valueWidth <= shape.keyWidth && draw(0...2) == 0
    let type = KVType.allCases[draw(0...KVType.allCases.count - 1)]
    let usesRings = draw(0...2) == 0
    var (sequences, places): ([CachedSequence], [(position: Int, rowCount: Int)]) = ([], [])
    for _ in 0..<draw(1...5) {
      let rowCount = draw(0...2) == 0 ? draw(2...40) : 1
      let position = draw(0...[70, 300, 1300][draw(0...2)])
      sequences.append(
        try CachedSequence(
          shape, type, level, positions: position + rowCount,
          pagePositions: 64 * draw(1...4), ringPages: usesRings ? draw(4...8) : nil,
          random: &generator))
      places.append((position, rowCount))
    }
    return AttentionStep(sequences, places, random: &generator)
  }
}

extension Scoring {
  /// Limits that look back at most `reach` positions, and none at all where no ring forgets.
  static func random(
    _ shape: AttentionShape, reach: Int, forgets: Bool, _ generator: inout SeededGenerator
  ) -> Scoring {
    func draw(_ range: ClosedRange<Int>) -> Int {
      range.lowerBound + Int(generator.next() % UInt64(range.count))
    }
    let size = draw(1...max(1, draw(0...1) == 0 ? min(reach, 70) : reach))
    var scoring = Scoring(limits: [.sliding(size), .chunked(size), .causal][draw(0...2)])
    if forgets && scoring.limits == .causal { scoring.limits = .sliding(reach) }
    scoring.scale = [0.05, 0.3, 2][draw(0...2)] / Float(shape.keyWidth).squareRoot()
    if draw(0...2) == 0 { scoring.softCap = [0.5, 10, 50][draw(0...2)] }
    if draw(0...1) == 0 {
      scoring.sinks = (0..<shape.heads).map { _ in
        draw(0...9) == 0 ? -.infinity : Float(generator.nextGaussian() * 4)
      }
    }
    return scoring
  }
}
