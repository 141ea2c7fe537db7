import MoECache
import MoECore

/// What the tokens of one pass want of one layer.
package struct RoutedStep: Sendable, Equatable {
  /// One expert, and what came of it.
  package struct Request: Sendable, Equatable {
    package var expert: Int
    /// Within the pass: the last token that uses it, and its place in that token's selection.
    package var lastToken: Int
    package var rank: Int
    /// Tokens that use it.
    package var tokenCount: Int
    /// Whether it was in memory.
    package var isHit = false
    /// Whether it was held for its turn from the step's beginning on.
    package var isKept = false
    var slot: Int?

    package init(expert: Int, lastToken: Int, rank: Int, tokenCount: Int) {
      self.expert = expert
      self.lastToken = lastToken
      self.rank = rank
      self.tokenCount = tokenCount
    }
  }

  package let tokenCount: Int
  package let expertsPerToken: Int
  /// Each expert once, ascending.
  package internal(set) var requests: [Request]
  /// (token, rank), best first, -1 behind the last where a token takes fewer: of the pass's last
  /// tokens, as many as policies learn from.
  let lastExperts: [Int]
  /// How many of them the step may hold at a time; set by the replay.
  package internal(set) var limit = Int.max

  package init(
    tokenCount: Int, expertsPerToken: Int, requests: [Request], lastExperts: [Int]
  ) {
    self.tokenCount = tokenCount
    self.expertsPerToken = expertsPerToken
    self.requests = requests
    self.lastExperts = lastExperts
  }

  /// What some tokens of a trace want.
  ///
  /// - Parameter tokens: Numbers within the trace, in the order of the pass.
  package init(_ trace: RoutingTrace, tokens: some BidirectionalCollection<Int>, layer: Int) {
    var places = Array(repeating: -1, count: trace.expertCount)
    var requests: [Request] = []
    for (number, token) in tokens.enumerated() {
      for (rank, expert) in trace.selection(token: token, layer: layer).enumerated() {
        if places[Int(expert)] < 0 {
          places[Int(expert)] = requests.count
          requests.append(Request(expert: Int(expert), lastToken: 0, rank: 0, tokenCount: 0))
        }
        requests[places[Int(expert)]].lastToken = number
        requests[places[Int(expert)]].rank = rank
        requests[places[Int(expert)]].tokenCount += 1
      }
    }
    requests.sort { $0.expert < $1.expert }
    let lastExperts = tokens.suffix(SelectionHistory.tokenCount).flatMap { token in
      let selection = trace.selection(token: token, layer: layer).map(Int.init)
      return selection + Array(repeating: -1, count: trace.expertsPerToken - selection.count)
    }
    self.init(
      tokenCount: tokens.count, expertsPerToken: trace.expertsPerToken, requests: requests,
      lastExperts: lastExperts)
  }

  /// All experts are in memory.
  mutating func findAll() {
    for number in requests.indices {
      requests[number].isHit = true
      requests[number].isKept = true
    }
  }

  package var hitCount: Int { requests.count(where: \.isHit) }
}
