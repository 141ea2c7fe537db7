import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Operations of layers that keep a state, against their definitions in double precision; and that
/// neither the instruction set, nor the workers, nor how rows are cut into steps changes a bit.
@Suite struct OperationRecurrenceTests {
  /// Three sequences with so many rows each.
  private static let rowCounts = [5, 1, 12]

  /// How the rows of the sequences come to the operation.
  private enum Cut: CaseIterable { case together, oneByOne, uneven }

  /// The steps that give every sequence all its rows: (sequence, its rows).
  private static func steps(_ cut: Cut) -> [[(sequence: Int, rows: Range<Int>)]] {
    switch cut {
    case .together: return [rowCounts.indices.map { ($0, 0..<rowCounts[$0]) }]
    case .oneByOne:
      return rowCounts.indices.flatMap { sequence in
        (0..<rowCounts[sequence]).map { [(sequence, $0..<$0 + 1)] }
      }
    case .uneven:
      return [[(2, 0..<3), (0, 0..<1)], [(0, 1..<5), (1, 0..<1), (2, 3..<12)]]
    }
  }

  /// Bits of what `run` gives for all rows of all sequences, and of the states they leave: the same
  /// for every level, number of workers and way to cut.
  private func results(
    stateCount: Int,
    _ run: (WorkerTeam, [(sequence: Int, rows: Range<Int>)], [StateSegment]) -> [[Float]]
  ) throws -> (output: [[[Float]]], states: [[Float]]) {
    var found: Set<[UInt32]> = []
    var last: (output: [[[Float]]], states: [[Float]]) = ([], [])
    for level in Levels.all {
      for workers in [1, 3] {
        let team = try Levels.team(level, workers: workers)
        for cut in Cut.allCases {
          var states = Self.rowCounts.map { _ in Floats(count: stateCount, offset: 1) }
          var output = Self.rowCounts.map { Array(repeating: [Float](), count: $0) }
          for step in Self.steps(cut) {
            // In place, or to a place of its own.
            let targets = step.map { part in
              part.rows.lowerBound % 2 == 0
                ? states[part.sequence] : Floats(count: stateCount, offset: 3) { _ in .nan }
            }
            let segments = zip(step, targets).map {
              StateSegment(
                source: states[$0.sequence].view, target: $1.view, rowCount: $0.rows.count)
            }
            var rows = run(team, step, segments)[...]
            for part in step {
              for row in part.rows { output[part.sequence][row] = rows.removeFirst() }
            }
            for (part, target) in zip(step, targets) { states[part.sequence] = target }
          }
          #expect(states.allSatisfy { $0.guardsAreIntact })
          found.insert(
            output.joined().joined().map(\.bitPattern) + states.flatMap(\.bits))
          last = (output, states.map(\.array))
        }
      }
    }
    #expect(found.count == 1)
    return last
  }

  // MARK: - Convolution

  @Test(arguments: [1, 2, 3, 4, 7, 16], [1, 15, 16, 33, 100])
  func convolutionsSumTheLatestRows(_ taps: Int, _ channels: Int) throws {
    var generator = SeededGenerator(seed: UInt64(taps * 1000 + channels))
    let shape = ConvolutionShape(channelCount: channels, tapCount: taps)
    let weight = Floats(count: channels * taps, offset: 1, random: &generator)
    let bias = Floats(count: channels, offset: 2, random: &generator)
    let inputs = Self.rowCounts.map { count in
      (0..<count).map { _ in (0..<channels).map { _ in Float(generator.nextGaussian()) } }
    }
    let (output, states) = try results(stateCount: shape.stateCount) {
      team, step, segments in
      let rows = step.flatMap { part in part.rows.map { inputs[part.sequence][$0] } }
      let stride = channels + 3
      let x = Floats(rows.flatMap { $0 + [9, 9, 9] }, offset: 3)
      team.convolve(
        x.rows(rows.count, channels, stride: stride), shape, weight: weight.view, bias: bias.view,
        segments: segments)
      let result = x.rows(rows.count, channels, stride: stride)
      defer { #expect(x.guardsAreIntact) }
      return rows.indices.map { result.row($0).array() }
    }
    for (sequence, rows) in inputs.enumerated() {
      for row in rows.indices {
        for channel in 0..<channels {
          var sum = Double(bias.view[channel])
          for tap in 0..<taps where row - taps + 1 + tap >= 0 {
            let factor = Double(weight.view[channel * taps + tap])
            sum += factor * Double(rows[row - taps + 1 + tap][channel])
          }
          #expect(abs(Double(output[sequence][row][channel]) - sum) < 1e-5)
        }
      }
      let padded = Array(repeating: Array(repeating: Float(0), count: channels), count: taps) + rows
      #expect(states[sequence] == Array(padded.suffix(taps - 1).joined()))
    }
  }

  // MARK: - Recurrence

  struct Case: Sendable, CustomTestStringConvertible {
    var shape: RecurrenceShape
    var rule: RecurrenceRule
    var hasSkips: Bool

    var testDescription: String {
      "\(shape.headCount)/\(shape.keyHeadCount) heads, \(shape.keyDimension) x "
        + "\(shape.valueDimension), corrects \(rule.corrects), \(rule.keySharing)"
    }
  }

  static let cases: [Case] = {
    var cases: [Case] = []
    for (keys, values) in [(1, 1), (3, 16), (4, 17), (7, 40), (16, 16), (30, 33), (128, 128)] {
      for corrects in [true, false] {
        for sharing in RecurrenceRule.KeySharing.allCases {
          let (heads, keyHeads) = keys < 128 ? (6, 3) : (2, 1)
          cases.append(
            Case(
              shape: RecurrenceShape(
                headCount: heads, keyHeadCount: keyHeads, keyDimension: keys,
                valueDimension: values),
              rule: RecurrenceRule(
                keySharing: sharing, corrects: corrects, queryScale: 0.7,
                keyScale: 1 / Float(keys).squareRoot()),
              hasSkips: !corrects))
        }
      }
    }
    return cases
  }()

  /// A row of a sequence.
  private struct Row {
    var q, k, v, decays, factors: [Float]

    init(_ shape: RecurrenceShape, _ generator: inout SeededGenerator) {
      func draw(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float(generator.nextGaussian()) }
      }
      (q, k, v) = (draw(shape.keyWidth), draw(shape.keyWidth), draw(shape.valueWidth))
      decays = draw(shape.headCount).map { 1 / (1 + exp(-$0)) }
      factors = draw(shape.headCount).map { 1 / (1 + exp(-$0)) }
    }
  }

  @Test(arguments: cases) func memoriesFollowTheirDefinition(_ test: Case) throws {
    let (shape, rule) = (test.shape, test.rule)
    var generator = SeededGenerator(seed: UInt64(shape.keyDimension * 100 + shape.valueDimension))
    let skips = test.hasSkips ? Floats(count: shape.headCount, random: &generator) : nil
    let inputs = Self.rowCounts.map { count in (0..<count).map { _ in Row(shape, &generator) } }
    let (output, _) = try results(stateCount: shape.stateCount) {
      team, step, segments in
      let rows = step.flatMap { part in part.rows.map { inputs[part.sequence][$0] } }
      // Queries, keys and values side by side, as a convolution leaves them.
      let width = 2 * shape.keyWidth + shape.valueWidth
      let input = Floats(rows.flatMap { $0.q + $0.k + $0.v }, offset: 1)
      let scalars = Floats(rows.flatMap { $0.decays + $0.factors }, offset: 3)
      let out = Floats(count: rows.count * (shape.valueWidth + 1), offset: 2)
      withExtendedLifetime((input, scalars)) {
        let mixed = input.rows(rows.count, width)
        let factors = scalars.rows(rows.count, 2 * shape.headCount)
        team.recur(
          RecurrenceInput(
            queries: mixed.columns(0, count: shape.keyWidth),
            keys: mixed.columns(shape.keyWidth, count: shape.keyWidth),
            values: mixed.columns(2 * shape.keyWidth, count: shape.valueWidth),
            decays: factors.columns(0, count: shape.headCount),
            factors: factors.columns(shape.headCount, count: shape.headCount),
            skips: skips?.view),
          shape, rule, segments: segments,
          into: out.rows(rows.count, shape.valueWidth, stride: shape.valueWidth + 1))
      }
      defer { #expect(out.guardsAreIntact) }
      let result = out.rows(rows.count, shape.valueWidth, stride: shape.valueWidth + 1)
      return rows.indices.map { result.row($0).array() }
    }
    for (sequence, rows) in inputs.enumerated() {
      let wanted = definition(rows, shape, rule, skips?.array)
      #expect(relativeError(Array(output[sequence].joined()), wanted) < 1e-5)
    }
  }

  /// (row, head, value) of one sequence.
  private func definition(
    _ rows: [Row], _ shape: RecurrenceShape, _ rule: RecurrenceRule, _ skips: [Float]?
  ) -> [Double] {
    let (keys, values) = (shape.keyDimension, shape.valueDimension)
    let sharers = shape.headCount / shape.keyHeadCount
    var memories = Array(
      repeating: Array(repeating: Array(repeating: 0.0, count: values), count: keys),
      count: shape.headCount)
    var out: [Double] = []
    for row in rows {
      for head in 0..<shape.headCount {
        let keyHead = rule.keySharing == .cycled ? head % shape.keyHeadCount : head / sharers
        func part(_ x: [Float], _ scale: Float) -> [Double] {
          x[keyHead * keys..<(keyHead + 1) * keys].map { Double($0) * Double(scale) }
        }
        let (q, k) = (part(row.q, rule.queryScale), part(row.k, rule.keyScale))
        for value in 0..<values {
          let v = Double(row.v[head * values + value])
          var (known, read) = (0.0, 0.0)
          for key in 0..<keys {
            memories[head][key][value] *= Double(row.decays[head])
            known += memories[head][key][value] * k[key]
          }
          let update = Double(row.factors[head]) * (rule.corrects ? v - known : v)
          for key in 0..<keys {
            memories[head][key][value] += k[key] * update
            read += memories[head][key][value] * q[key]
          }
          out.append(read + Double(skips?[head] ?? 0) * v)
        }
      }
    }
    return out
  }

  // MARK: - Time steps

  @Test(arguments: Levels.all) func timeStepsAreSoftplus(_ level: InstructionSet) throws {
    let values = (0..<4000).map { Float($0 - 2000) / 20 }
    let (x, bias) = (Floats(values, offset: 1), Floats(count: values.count) { _ in 0.25 })
    let (rates, decays) = (Floats(count: values.count) { _ in -0.5 }, Floats(count: values.count))
    try Levels.team(level).advanceTime(
      x.rows(1, values.count), bias: bias.view, rates: rates.view,
      decays: decays.rows(1, values.count))
    for (index, value) in values.enumerated() {
      let sum = Double(value) + 0.25
      let wanted: Double = log1p(exp(-abs(sum))) + max(0, sum)
      let (step, decay) = (Double(x.view[index]), Double(decays.view[index]))
      let tolerance: Double = 3e-7 * wanted + 1e-37
      #expect(abs(step - wanted) <= tolerance)
      #expect(abs(decay - exp(-0.5 * wanted)) < 1e-6)
    }
  }

  // MARK: - Regrouping

  @Test(arguments: [(1, 7, 2, 3), (4, 10, 0, 5), (4, 10, 5, 5), (3, 1, 0, 1)])
  func partsOfGroupsComeTogether(groups: Int, width: Int, offset: Int, part: Int) throws {
    let (rows, stride, found) = (3, groups * width + 2, groups * part)
    let x = Floats(count: rows * stride, offset: 1) { Float($0) }
    let out = Floats(count: rows * (found + 1), offset: 3)
    try Levels.team(.current).regroup(
      x.rows(rows, groups * width, stride: stride), groupCount: groups, offset: offset,
      width: part, into: out.rows(rows, found, stride: found + 1))
    for row in 0..<rows {
      for column in 0..<found {
        let (group, place) = (column / part, column % part)
        let source: Int = row * stride + group * width + offset + place
        #expect(out.view[row * (found + 1) + column] == Float(source))
      }
    }
    #expect(out.guardsAreIntact)
  }
}
