/// When each expert will be used, which only a replay knows.
package struct FutureUses: Sendable {
  /// (expert ordinal): the times of its uses, one after the other.
  private var times: [Int32]
  /// (expert ordinal): where its times begin; the last entry is the end.
  private let starts: [Int]
  /// (expert ordinal): the first of its times that has not gone by.
  private var positions: [Int]

  /// - Parameter times: (expert ordinal): times of its uses, ascending.
  package init(times: [[Int32]]) {
    self.times = Array(times.joined())
    var starts = [0]
    for uses in times { starts.append(starts[starts.count - 1] + uses.count) }
    self.starts = starts
    positions = Array(starts.dropLast())
  }

  /// When an expert is used next after a time, which must not be less than in the call before; nil
  /// where it never is.
  package mutating func next(of ordinal: Int, after time: Int) -> Int? {
    while positions[ordinal] < starts[ordinal + 1], times[positions[ordinal]] <= time {
      positions[ordinal] += 1
    }
    return positions[ordinal] < starts[ordinal + 1] ? Int(times[positions[ordinal]]) : nil
  }
}
