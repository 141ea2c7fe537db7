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
  /// One per chosen expert, ascending by index.
  package private(set) var requests: [ExpertRequest] = []
  /// First entry of each request in the grouped arrays, and the end of the last.
  package private(set) var starts: [Int] = []
  /// (expert): tokens that take it, then the next free entry of its group.
  private var cursors: [Int]
  /// (expert): its request's number.
  private var numbers: [Int]

  /// - Parameter expertCountMax: Of any layer.
  package init(expertCountMax: Int) {
    cursors = Array(repeating: 0, count: expertCountMax)
    numbers = cursors
    requests.reserveCapacity(expertCountMax)
    starts.reserveCapacity(expertCountMax + 1)
  }

  /// - Parameters:
  ///   - expertCount: Of the layer.
  ///   - tokens, weights: Receive the token number and weight of every choice, grouped.
  package mutating func group(
    _ selection: Selection, expertCount: Int, tokens: IndexView, weights: FloatView
  ) {
    requests.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    for expert in 0..<expertCount { cursors[expert] = 0 }
    for token in 0..<selection.tokenCount {
      for rank in 0..<selection.count(token: token) {
        cursors[selection.expert(token: token, rank: rank)] += 1
      }
    }
    var start = 0
    for expert in 0..<expertCount where cursors[expert] > 0 {
      let count = cursors[expert]
      requests.append(
        ExpertRequest(expert: expert, lastToken: 0, rank: 0, tokenCount: count))
      numbers[expert] = requests.count - 1
      starts.append(start)
      cursors[expert] = start
      start += count
    }
    starts.append(start)
    for token in 0..<selection.tokenCount {
      for rank in 0..<selection.count(token: token) {
        let expert = selection.expert(token: token, rank: rank)
        tokens[cursors[expert]] = UInt32(token)
        weights[cursors[expert]] = selection.weight(token: token, rank: rank)
        cursors[expert] += 1
        requests[numbers[expert]].lastToken = token
        requests[numbers[expert]].rank = rank
      }
    }
  }
}
