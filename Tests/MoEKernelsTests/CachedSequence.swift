import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Heads and widths of an attention layer.
struct AttentionShape: Sendable, CustomStringConvertible {
  var (heads, kvHeads): (Int, Int)
  var (keyWidth, valueWidth): (Int, Int)
  /// Values are the first elements of their keys.
  var valuesLieInKeys = false

  init(_ heads: Int, _ kvHeads: Int, _ keyWidth: Int, _ valueWidth: Int? = nil) {
    (self.heads, self.kvHeads) = (heads, kvHeads)
    (self.keyWidth, self.valueWidth) = (keyWidth, valueWidth ?? keyWidth)
  }

  static func latent(_ heads: Int, _ keyWidth: Int, _ valueWidth: Int) -> AttentionShape {
    var shape = AttentionShape(heads, 1, keyWidth, valueWidth)
    shape.valuesLieInKeys = true
    return shape
  }

  var queryColumns: Int { heads * keyWidth }
  var outColumns: Int { heads * valueWidth }

  var description: String {
    let place = valuesLieInKeys ? " in keys" : ""
    return "\(heads)/\(kvHeads) heads, widths \(keyWidth)/\(valueWidth)\(place)"
  }
}

/// How a row's weights come about, with sinks as an array.
struct Scoring {
  var limits = AttentionLimits.causal
  var scale: Float = 0.2
  var softCap: Float?
  var sinks: [Float]?
}

/// One sequence's keys and values, random, in pages of one layer.
///
/// Pages lie backwards in memory, with gaps; whatever is not written is not a number, so that
/// reading it shows.
@safe final class CachedSequence {
  let shape: AttentionShape
  let type: KVType
  let positions: Int
  let keys: Floats
  let values: Floats
  let bytes: Bytes
  let view: KVView
  private let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// What the cache holds of keys and values: (position, kvHead, width).
  private var (storedKeys, storedValues): ([Double], [Double])

  /// Widths become whole blocks of the type. Positions are appended by a team of `level`, page by
  /// page, so that a ring forgets in order.
  ///
  /// - Parameter pagePositions: Nil: all positions are one page.
  init(
    _ shape: AttentionShape, _ type: KVType, _ level: InstructionSet, positions: Int,
    pagePositions: Int? = KVView.pageGrain, ringPages: Int? = nil,
    random generator: inout SeededGenerator
  ) throws {
    let (gap, shape) = (192, shape.inWholeBlocks(of: type))
    let capacity = positions + 2
    let pagePositions = pagePositions ?? capacity
    let pageCount = ringPages ?? (capacity + pagePositions - 1) / pagePositions
    let keyBytes = KVView.byteCount(
      type: type, capacity: pagePositions, headCount: shape.kvHeads, headDimension: shape.keyWidth)
    let valueBytes = KVView.byteCount(
      type: type, capacity: pagePositions, headCount: shape.kvHeads,
      headDimension: shape.valueWidth)
    let pageBytes = gap + keyBytes + gap + (shape.valuesLieInKeys ? 0 : valueBytes) + gap
    (self.shape, self.type, self.positions) = (shape, type, positions)
    keys = Floats(count: positions * shape.kvHeads * shape.keyWidth, random: &generator)
    values = Floats(count: positions * shape.kvHeads * shape.valueWidth, random: &generator)
    bytes = try Bytes(count: pageCount * pageBytes)
    unsafe bytes.view.pointer.initializeMemory(
      as: UInt8.self, repeating: 0xFF, count: bytes.view.count)
    unsafe table = .allocate(capacity: pageCount)
    for page in 0..<pageCount {
      let start = bytes.view.slice((pageCount - 1 - page) * pageBytes, count: pageBytes)
      unsafe (table + page).initialize(to: start.pointer)
    }
    view = KVView(
      pages: unsafe PageTable(table, count: pageCount, pageByteCount: pageBytes),
      keyOffset: gap, valueOffset: shape.valuesLieInKeys ? nil : gap + keyBytes + gap, type: type,
      headCount: shape.kvHeads, keyHeadDimension: shape.keyWidth,
      valueHeadDimension: shape.valueWidth, pagePositionCount: pagePositions,
      ringPageCount: ringPages, capacity: capacity)
    storedKeys = type.stored(keys.array).map(Double.init)
    storedValues = type.stored(values.array).map(Double.init)
    try append(Levels.team(level), keys: keys, values: values, page: pagePositions)
  }

  deinit { unsafe table.deallocate() }

  /// Writes all positions, page by page.
  private func append(_ team: WorkerTeam, keys: Floats, values: Floats, page: Int) {
    let keyRows = keys.rows(positions, shape.kvHeads * shape.keyWidth)
    let valueRows = values.rows(positions, shape.kvHeads * shape.valueWidth)
    for start in stride(from: 0, to: positions, by: page) {
      let count = min(page, positions - start)
      team.appendKV(
        keys: keyRows.rows(start, count: count),
        values: shape.valuesLieInKeys ? nil : valueRows.rows(start, count: count),
        to: [AttentionSegment(view: view, position: start, rowCount: count)])
    }
  }

  /// Makes every element of some positions' keys the same.
  func overwriteKeys(_ range: Range<Int>, with value: Float) {
    let width = shape.kvHeads * shape.keyWidth
    for index in range.lowerBound * width..<range.upperBound * width {
      storedKeys[index] = Double(value)
    }
    let team = try? WorkerTeam(workerCount: 1)
    let keys = Floats(count: range.count * width) { _ in value }
    let values = self.values.rows(positions, shape.kvHeads * shape.valueWidth)
    team?.appendKV(
      keys: keys.rows(range.count, width),
      values: values.rows(range.lowerBound, count: range.count),
      to: [AttentionSegment(view: view, position: range.lowerBound, rowCount: range.count)])
  }

  /// Whether the definition lets position i see j.
  private static func sees(_ i: Int, _ j: Int, _ limits: AttentionLimits) -> Bool {
    switch limits {
    case .causal: j <= i
    case .sliding(let window): i - window < j && j <= i
    case .chunked(let size): j / size == i / size && j <= i
    }
  }

  /// Attention of one row, the query `q`, as defined, in double precision: (head, valueWidth).
  func oracle(_ q: [Float], position: Int, _ scoring: Scoring) -> [Double] {
    var out: [Double] = []
    let seen = (0...position).filter { Self.sees(position, $0, scoring.limits) }
    let stored = shape.valuesLieInKeys ? storedKeys : storedValues
    let valueStride = shape.valuesLieInKeys ? shape.keyWidth : shape.valueWidth
    for head in 0..<shape.heads {
      let kvHead = head / (shape.heads / shape.kvHeads)
      var scores = seen.map { past in
        let key = (past * shape.kvHeads + kvHead) * shape.keyWidth
        var dot = 0.0
        for d in 0..<shape.keyWidth {
          dot += Double(q[head * shape.keyWidth + d]) * storedKeys[key + d]
        }
        let score = dot * Double(scoring.scale)
        guard let cap = scoring.softCap.map(Double.init) else { return score }
        return cap * tanh(score / cap)
      }
      if let sinks = scoring.sinks { scores.append(Double(sinks[head])) }
      let largest = scores.max()!
      let weights = scores.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      var row = [Double](repeating: 0, count: shape.valueWidth)
      for (weight, past) in zip(weights, seen) {
        let value = (past * shape.kvHeads + kvHead) * valueStride
        for d in row.indices { row[d] += weight * stored[value + d] }
      }
      out += row.map { $0 / sum }
    }
    return out
  }
}

/// A view of keys, then as many values, of all positions in one page.
func withOnePage(
  _ bytes: Bytes, type: KVType, positions: Int, heads: Int, width: Int, _ body: (KVView) -> Void
) {
  let half = KVView.byteCount(
    type: type, capacity: positions, headCount: heads, headDimension: width)
  unsafe withUnsafePointer(to: Optional(bytes.view.pointer)) { address in
    body(
      KVView(
        pages: unsafe PageTable(address, count: 1, pageByteCount: bytes.view.count), keyOffset: 0,
        valueOffset: half, type: type, headCount: heads, keyHeadDimension: width,
        valueHeadDimension: width, pagePositionCount: positions, capacity: positions))
  }
}
