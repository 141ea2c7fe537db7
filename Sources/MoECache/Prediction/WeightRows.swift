/// Rows of a table of weights that count for one layer's estimates, in groups that count alike.
///
/// Sums and changes go over four vectors of all rows at a time, which stay in registers: a row is
/// read once, and nothing else is read or written with it.
struct WeightRows {
  typealias Vector = SIMD8<Float>

  /// (row): its first vector; room for all that can count.
  private var starts: [Int]
  private var count = 0
  /// The greatest start.
  private var lastStart = 0
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

    /// All four must be there.
    @inline(__always)
    mutating func add(_ vectors: Span<Vector>, unchecked index: Int) {
      unsafe first += vectors[unchecked: index]
      unsafe second += vectors[unchecked: index &+ 1]
      unsafe third += vectors[unchecked: index &+ 2]
      unsafe fourth += vectors[unchecked: index &+ 3]
    }

    @inline(__always)
    func scaled(by factor: Float) -> Block {
      Block(
        first: first * factor, second: second * factor, third: third * factor,
        fourth: fourth * factor)
    }

    /// All four must be there.
    @inline(__always)
    func add(to vectors: inout MutableSpan<Vector>, unchecked index: Int) {
      unsafe vectors[unchecked: index] += first
      unsafe vectors[unchecked: index &+ 1] += second
      unsafe vectors[unchecked: index &+ 2] += third
      unsafe vectors[unchecked: index &+ 3] += fourth
    }
  }

  init() {
    let tokenCountMax = ReusePredictor.fadings.count + ReusePredictor.layersBack
    starts = [Int](repeating: 0, count: tokenCountMax * SelectionHistory.rankCount)
    groups.reserveCapacity(ReusePredictor.fadings.count)
  }

  mutating func removeAll() {
    (count, lastStart) = (0, 0)
    groups.removeAll(keepingCapacity: true)
  }

  /// Adds the rows of remembered experts, of a matrix that begins at some vector.
  mutating func append(
    _ history: borrowing SelectionHistory, _ places: Range<Int>, from start: Int, width: Int
  ) {
    var (end, last) = (count, lastStart)
    var all = starts.mutableSpan
    for place in places {
      let first = start + history.expert(at: place) * width
      all[end] = first
      last = max(last, first)
      end += 1
    }
    (count, lastStart) = (end, last)
  }

  /// Rows since the last group's end count by a factor.
  mutating func endGroup(factor: Float) { groups.append(Group(end: count, factor: factor)) }

  /// Adds the sum of the rows, each times its group's factor, to (vector) `sums`.
  func addSums(of weights: Span<Vector>, width: Int, to sums: inout MutableSpan<Vector>) {
    // Checks between the reads would keep most of them from being under way at once.
    precondition(lastStart + width <= weights.count && width <= sums.count)
    let starts = starts.span
    let groups = groups.span
    var first = 0
    for number in groups.indices {
      let (end, factor) = (groups[number].end, groups[number].factor)
      var index = 0
      while index + Block.width <= width {
        var sum = Block.zero
        for row in first..<end { sum.add(weights, unchecked: starts[row] &+ index) }
        sum.scaled(by: factor).add(to: &sums, unchecked: index)
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
    precondition(lastStart + change.count <= weights.count)
    let starts = starts.span
    let groups = groups.span
    var first = 0
    for number in groups.indices {
      let (end, factor) = (groups[number].end, groups[number].factor * rate)
      var index = 0
      while index + Block.width <= change.count {
        var block = Block.zero
        block.add(change, unchecked: index)
        block = block.scaled(by: factor)
        for row in first..<end { block.add(to: &weights, unchecked: starts[row] &+ index) }
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
