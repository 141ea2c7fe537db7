package import MoECache
import MoECore

/// What the tokens of one pass want of one layer.
package struct RoutedStep: Sendable, Equatable {
  /// One expert, and what came of it.
  package struct Request: Sendable, Equatable {
    package var wanted: ExpertRequest
    /// Whether it was in memory.
    package var isHit = false
    /// Whether it was held for its turn from the step's beginning on.
    package var isKept = false

    package init(_ wanted: ExpertRequest) { self.wanted = wanted }
  }

  package let tokenCount: Int
  package let expertsPerToken: Int
  /// Each expert once, ascending.
  package internal(set) var requests: [Request]
  /// (token, rank), best first, -1 behind the last where a token takes fewer: of the tokens that
  /// policies learn from (`SequenceRun.knownRowCounts`).
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
  /// - Parameters:
  ///   - tokens: Numbers within the trace, in the order of the pass.
  ///   - runs: Which of them belong to which sequence; by default all to one.
  package init(
    _ trace: RoutingTrace, tokens: some RandomAccessCollection<Int>, layer: Int,
    runs: [SequenceRun]? = nil
  ) {
    var places = Array(repeating: -1, count: trace.expertCount)
    var requests: [Request] = []
    for (number, token) in tokens.enumerated() {
      for (rank, expert) in trace.selection(token: token, layer: layer).enumerated() {
        if places[Int(expert)] < 0 {
          places[Int(expert)] = requests.count
          requests.append(
            Request(ExpertRequest(expert: Int(expert), lastToken: 0, rank: 0, tokenCount: 0)))
        }
        requests[places[Int(expert)]].wanted.lastToken = number
        requests[places[Int(expert)]].wanted.rank = rank
        requests[places[Int(expert)]].wanted.tokenCount += 1
      }
    }
    requests.sort { $0.wanted.expert < $1.wanted.expert }
    let runs = runs ?? [SequenceRun(SequenceID(rawValue: 0), rowCount: tokens.count)]
    var rest = tokens[...]
    var lastExperts: [Int] = []
    for (run, knownCount) in zip(runs, SequenceRun.knownRowCounts(runs)) {
      for token in rest.prefix(run.rowCount).suffix(knownCount) {
        let selection = trace.selection(token: token, layer: layer).map(Int.init)
        lastExperts += selection
        lastExperts += Array(repeating: -1, count: trace.expertsPerToken - selection.count)
      }
      rest = rest.dropFirst(run.rowCount)
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
