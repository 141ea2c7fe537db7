/// Rows of a table of weights that count for the estimates of one layer, in groups that count alike.
///
/// Sums and changes go over four vectors of all rows at a time, which stay in registers: a row is
/// read once, and nothing else is read or written with it.
struct WeightRows {
  typealias Vector = SIMD8<Float>

  /// (row): its first vector; room for all that can count.
  private var starts: [Int]
  private var count = 0
  private var groups: [Group] = []

  private struct Group {
    /// After its last row.
    var end: Int
    var factor: Float
  }

  /// Four neighbouring vectors of a row.
  private struct Block {
    var (first, second, third, fourth): (Vector, Vector, Vector, Vector)

    static let width = 4
    static var zero: Block { Block(first: .zero, second: .zero, third: .zero, fourth: .zero) }

    @inline(__always)
    mutating func add(_ vectors: Span<Vector>, at index: Int) {
      let block = vectors.extracting(index..<index + Self.width)
      first += block[0]
      second += block[1]
      third += block[2]
      fourth += block[3]
    }

    @inline(__always)
    func scaled(by factor: Float) -> Block {
      Block(
        first: first * factor, second: second * factor, third: third * factor,
        fourth: fourth * factor)
    }

    @inline(__always)
    func add(to vectors: inout MutableSpan<Vector>, at index: Int) {
      vectors[index] += first
      vectors[index + 1] += second
      vectors[index + 2] += third
      vectors[index + 3] += fourth
    }
  }

  init() {
    let tokenCountMax = ReusePredictor.fadings.count + ReusePredictor.layersBack
    starts = [Int](repeating: 0, count: tokenCountMax * SelectionHistory.rankCount)
    groups.reserveCapacity(ReusePredictor.fadings.count)
  }

  mutating func removeAll() {
    count = 0
    groups.removeAll(keepingCapacity: true)
  }

  /// Adds the rows of remembered experts, of a matrix that begins at some vector.
  mutating func append(
    _ history: borrowing SelectionHistory, _ places: Range<Int>, from start: Int, width: Int
  ) {
    var end = count
    var all = starts.mutableSpan
    for place in places {
      all[end] = start + history.expert(at: place) * width
      end += 1
    }
    count = end
  }

  /// Rows since the last group's end count by a factor.
  mutating func endGroup(factor: Float) { groups.append(Group(end: count, factor: factor)) }

  /// Adds the sum of the rows, each times its group's factor, to (vector) `sums`.
  func addSums(of weights: Span<Vector>, width: Int, to sums: inout MutableSpan<Vector>) {
    let starts = starts.span
    let groups = groups.span
    var first = 0
    for number in groups.indices {
      let (end, factor) = (groups[number].end, groups[number].factor)
      var index = 0
      while index + Block.width <= width {
        var sum = Block.zero
        for row in first..<end { sum.add(weights, at: starts[row] + index) }
        sum.scaled(by: factor).add(to: &sums, at: index)
        index += Block.width
      }
      while index < width {
        var sum = Vector.zero
        for row in first..<end { sum += weights[starts[row] + index] }
        sums[index] += sum * factor
        index += 1
      }
      first = end
    }
  }

  /// Adds (vector) `change`, times a rate and each group's factor, to every row.
  func add(
    _ change: Span<Vector>, times rate: Float, to weights: inout MutableSpan<Vector>
  ) {
    let starts = starts.span
    let groups = groups.span
    var first = 0
    for number in groups.indices {
      let (end, factor) = (groups[number].end, groups[number].factor * rate)
      var index = 0
      while index + Block.width <= change.count {
        var block = Block.zero
        block.add(change, at: index)
        block = block.scaled(by: factor)
        for row in first..<end { block.add(to: &weights, at: starts[row] + index) }
        index += Block.width
      }
      while index < change.count {
        let step = change[index] * factor
        for row in first..<end { weights[starts[row] + index] += step }
        index += 1
      }
      first = end
    }
  }
}
