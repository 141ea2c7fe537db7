/// Depths of least recently used: the number of different experts used since the last use of one,
/// itself counted.
///
/// A Fenwick tree over moments has a mark at each expert's last use; the marks after a moment are
/// the experts used since. Moments are numbered anew before they run out, so that the tree stays
/// small.
struct RecencyStack {
  /// (moment), from 1: partial sums of marks, as Fenwick trees keep them.
  private var tree: [Int32]
  /// (expert): moment of its last use, 0 for none.
  private var moments: [Int32]
  /// (moment): the expert that was used then, -1 where it was used again since.
  private var owners: [Int32]
  private var now = 0
  private(set) var seenCount = 0

  init(expertCount: Int) {
    var size = 64
    while size < 4 * expertCount { size *= 2 }
    tree = Array(repeating: 0, count: size + 1)
    owners = Array(repeating: -1, count: size + 1)
    moments = Array(repeating: 0, count: expertCount)
  }

  static func depths(
    _ stream: RequestStream, continuity: ReplayConventions.Continuity
  ) -> StackDepths {
    var depths = StackDepths(
      expertCount: stream.expertCount, sequenceCount: stream.sequences.count)
    var stack = RecencyStack(expertCount: stream.expertCount)
    for (sequence, tokens) in stream.sequences.enumerated() {
      if continuity == .restarted { stack.clear() }
      for token in tokens {
        for step in stream.steps(ofToken: token) {
          let requests = stream.requests(ofStep: step)
          stack.lookUp(stream.experts, requests, sequence: sequence, into: &depths)
          for request in requests { stack.use(Int(stream.experts[request])) }
        }
      }
    }
    return depths
  }

  private mutating func clear() {
    for index in tree.indices { (tree[index], owners[index]) = (0, -1) }
    for index in moments.indices { moments[index] = 0 }
    (now, seenCount) = (0, 0)
  }

  private func lookUp(
    _ experts: [Int32], _ requests: Range<Int>, sequence: Int, into depths: inout StackDepths
  ) {
    var newCount = 0
    for request in requests {
      let moment = Int(moments[Int(experts[request])])
      if moment == 0 {
        newCount += 1
        depths.countCold(depth: seenCount + newCount, sequence: sequence)
      } else {
        depths.countWarm(depth: seenCount - sum(through: moment) + 1, sequence: sequence)
      }
    }
  }

  private mutating func use(_ expert: Int) {
    if now == tree.count - 1 { renumber() }
    now += 1
    let last = Int(moments[expert])
    if last > 0 {
      add(-1, at: last)
      owners[last] = -1
    } else {
      seenCount += 1
    }
    add(1, at: now)
    owners[now] = Int32(expert)
    moments[expert] = Int32(now)
  }

  private func sum(through moment: Int) -> Int {
    var (sum, index) = (0, moment)
    while index > 0 {
      sum += Int(tree[index])
      index &= index - 1
    }
    return sum
  }

  private mutating func add(_ mark: Int32, at moment: Int) {
    var index = moment
    while index < tree.count {
      tree[index] += mark
      index += index & -index
    }
  }

  /// Closes the gaps between moments; at least half of them are gaps.
  private mutating func renumber() {
    let order = owners.filter { $0 >= 0 }
    for index in tree.indices { (tree[index], owners[index]) = (0, -1) }
    now = 0
    for expert in order {
      now += 1
      owners[now] = expert
      moments[Int(expert)] = Int32(now)
    }
    for index in 1..<tree.count {
      if index <= now { tree[index] += 1 }
      let parent = index + index & -index
      if parent < tree.count { tree[parent] += tree[index] }
    }
  }
}
