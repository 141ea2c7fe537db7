import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// Rows of some sequences, with random queries, and attention over their pasts.
final class AttentionStep {
  let sequences: [CachedSequence]
  /// Of each sequence's rows.
  let places: [(position: Int, rowCount: Int)]
  let shape: AttentionShape
  let rowCount: Int
  /// Elements between rows of queries.
  private let padding = 3
  private let q: Floats

  init(
    _ sequences: [CachedSequence], _ places: [(position: Int, rowCount: Int)],
    random generator: inout SeededGenerator
  ) {
    (self.sequences, self.places) = (sequences, places)
    shape = sequences[0].shape
    rowCount = places.reduce(0) { $0 + $1.rowCount }
    q = Floats(
      count: rowCount * (shape.queryColumns + padding), offset: 1, random: &generator)
  }

  /// A step of one sequence whose past is as long as the step needs.
  convenience init(
    _ shape: AttentionShape, _ type: KVType, _ level: InstructionSet, position: Int, tokens: Int,
    seed: UInt64, pagePositions: Int? = KVView.pageGrain
  ) throws {
    var generator = SeededGenerator(seed: seed)
    let sequence = try CachedSequence(
      shape, type, level, positions: position + tokens, pagePositions: pagePositions,
      random: &generator)
    self.init([sequence], [(position, tokens)], random: &generator)
  }

  var queries: FloatRows {
    q.rows(rowCount, shape.queryColumns, stride: shape.queryColumns + padding)
  }

  var segments: [AttentionSegment] {
    zip(sequences, places).map {
      AttentionSegment(view: $0.view, position: $1.position, rowCount: $1.rowCount)
    }
  }

  /// All rows at once.
  func run(
    _ team: WorkerTeam, _ scoring: Scoring = Scoring(), sharesSpans: Bool = true
  ) -> [Float] {
    run(team, segments, row: 0, scoring, sharesSpans: sharesSpans)
  }

  /// Each sequence's rows in pieces of at most `chunk`, one job for each piece.
  func runInChunks(
    _ team: WorkerTeam, of chunk: Int, _ scoring: Scoring = Scoring(), sharesSpans: Bool = true
  ) -> [Float] {
    var (out, row): ([Float], Int) = ([], 0)
    for (sequence, place) in zip(sequences, places) {
      for start in stride(from: 0, to: place.rowCount, by: chunk) {
        let segment = AttentionSegment(
          view: sequence.view, position: place.position + start,
          rowCount: min(chunk, place.rowCount - start))
        out += run(team, [segment], row: row + start, scoring, sharesSpans: sharesSpans)
      }
      row += place.rowCount
    }
    return out
  }

  private func run(
    _ team: WorkerTeam, _ segments: [AttentionSegment], row: Int, _ scoring: Scoring,
    sharesSpans: Bool
  ) -> [Float] {
    let count = segments.reduce(0) { $0 + $1.rowCount }
    let out = Floats(count: count * shape.outColumns, offset: 1) { _ in .nan }
    let sinks = scoring.sinks.map { Floats($0, offset: 1) }
    let partials = Floats(
      count: segments.reduce(0) {
        $0 + $1.rowCount
          * KVView.partialCount(
            capacity: $1.position + $1.rowCount, queryHeadCount: shape.heads,
            valueHeadDimension: shape.valueWidth)
      }, offset: 1)
    team.attend(
      queries.rows(row, count: count), headCount: shape.heads, over: segments,
      limits: scoring.limits,
      scoring: AttentionScoring(
        scale: scoring.scale, softCap: scoring.softCap, sinks: sinks?.view),
      partials: sharesSpans ? partials.view : nil, into: out.rows(count, shape.outColumns))
    #expect(out.guardsAreIntact && partials.guardsAreIntact)
    withExtendedLifetime(sinks) {}
    return out.array
  }

  /// All rows as defined.
  func oracle(_ scoring: Scoring) -> [Double] {
    var (out, row): ([Double], Int) = ([], 0)
    for (sequence, place) in zip(sequences, places) {
      for index in 0..<place.rowCount {
        out += sequence.oracle(
          queries.row(row).array(), position: place.position + index, scoring)
        row += 1
      }
    }
    return out
  }
}

/// Whether floats are what was wanted, relative to the larger of 1 and the value itself.
func agrees(_ found: [Float], _ wanted: [Double], tolerance: Double = 2e-6) -> Bool {
  found.count == wanted.count
    && zip(found, wanted).allSatisfy { abs(Double($0) - $1) < tolerance * max(1, abs($1)) }
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
