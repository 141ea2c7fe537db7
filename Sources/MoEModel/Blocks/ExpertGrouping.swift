package import MoECache
package import MoECore

/// A step's selection turned around: for each chosen expert, the tokens that take it.
///
/// Experts ascending, tokens of an expert ascending. Made anew for every layer and step without
/// allocating.
///
/// The *dynamic gating* of "Towards MoE Deployment" (arXiv 2303.06182, section 4): assignments
/// sorted by expert, groups of exactly as many tokens as take it. No expert has a capacity, so
/// nothing is padded and no token is dropped.
package struct ExpertGrouping {
  /// One per chosen expert, ascending by index; behind them those whose copies in fewer bits are
  /// chosen, as well.
  package private(set) var requests: [ExpertRequest] = []
  /// First entry of each request in the grouped arrays, and the end of the last.
  package private(set) var starts: [Int] = []
  /// (expert, then copy of it): tokens that take it, then the next free entry of its group.
  private var cursors: [Int]
  /// (the same): its request's number.
  private var numbers: [Int]

  /// - Parameter expertCountMax: Of any layer.
  package init(expertCountMax: Int) {
    cursors = Array(repeating: 0, count: 2 * expertCountMax)
    numbers = cursors
    requests.reserveCapacity(2 * expertCountMax)
    starts.reserveCapacity(2 * expertCountMax + 1)
  }

  /// - Parameters:
  ///   - expertCount: Of the layer.
  ///   - tokens, weights: Receive the token number and weight of every choice, grouped.
  package mutating func group(
    _ selection: Selection, expertCount: Int, tokens: IndexView, weights: FloatView
  ) {
    requests.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    for place in 0..<2 * expertCount { cursors[place] = 0 }
    func place(_ token: Int, _ rank: Int) -> Int {
      let expert = selection.expert(token: token, rank: rank)
      return selection.isLow(token: token, rank: rank) ? expertCount + expert : expert
    }
    for token in 0..<selection.tokenCount {
      for rank in 0..<selection.count(token: token) { cursors[place(token, rank)] += 1 }
    }
    var start = 0
    for place in 0..<2 * expertCount where cursors[place] > 0 {
      let count = cursors[place]
      let isLow = place >= expertCount
      requests.append(
        ExpertRequest(
          expert: isLow ? place - expertCount : place, lastToken: 0, rank: 0, tokenCount: count,
          isLow: isLow))
      numbers[place] = requests.count - 1
      starts.append(start)
      cursors[place] = start
      start += count
    }
    starts.append(start)
    for token in 0..<selection.tokenCount {
      for rank in 0..<selection.count(token: token) {
        let place = place(token, rank)
        tokens[cursors[place]] = UInt32(token)
        weights[cursors[place]] = selection.weight(token: token, rank: rank)
        cursors[place] += 1
        requests[numbers[place]].lastToken = token
        requests[numbers[place]].rank = rank
      }
    }
  }
}
