package import MoECache
import MoECore

/// What the engine's expert cache makes of a recorded run, hit for hit: generated tokens one by
/// one, chunks of a prompt as the engine runs them, all their tokens at once.
///
/// A chunk may want more experts of a layer than there are slots. The engine then hands slots out
/// in ascending order of the experts, each given back when it has been computed; who hits depends
/// on that order, so it is the same here (`OffloadedExperts.requestInTurn`).
package struct PassReplay: ~Copyable {
  /// Of the experts of one layer that one pass asked for.
  package struct Counts: Sendable, Equatable {
    package var requestCount = 0
    package var hitCount = 0

    package init() {}

    package init(requestCount: Int, hitCount: Int) {
      self.requestCount = requestCount
      self.hitCount = hitCount
    }

    package static func += (left: inout Counts, right: Counts) {
      left.requestCount += right.requestCount
      left.hitCount += right.hitCount
    }
  }

  package private(set) var cache: ExpertCache
  package private(set) var prefill = Counts()
  package private(set) var decode = Counts()
  /// Cache time of the next pass's first token.
  private var time = 0
  private var outcomes: [RequestedExpert] = []
  private var requests: [Request] = []

  /// One expert that a pass wants of a layer.
  private struct Request {
    var expert: Int
    /// Within the pass: the last token that uses it, and its place in that token's selection.
    var lastToken: Int
    var rank: Int
    var tokenCount: Int
    var slot: Int?
  }

  package init(geometry: CacheGeometry, policy: PolicyEntry) {
    cache = ExpertCache(geometry: geometry, policy: policy)
  }

  /// Replays all passes of a trace, after those that were replayed before.
  ///
  /// - Parameter each: Called for each pass and layer.
  package mutating func run(
    _ trace: RoutingTrace, each: ((_ pass: Int, _ layer: Int, Counts) -> Void)? = nil
  ) {
    precondition(cache.geometry.layers.count == trace.layerCount)
    for (number, pass) in trace.passes.enumerated() {
      let phase = trace.phases?[pass.lowerBound] ?? (pass.count == 1 ? .decode : .prefill)
      cache.phase = phase
      for layer in 0..<trace.layerCount {
        let counts =
          pass.count == 1
          ? requestTogether(trace, pass.lowerBound, layer) : requestInTurn(trace, pass, layer)
        if phase == .prefill { prefill += counts } else { decode += counts }
        each?(number, layer, counts)
      }
      time += pass.count
    }
  }

  private mutating func requestTogether(
    _ trace: RoutingTrace, _ token: Int, _ layer: Int
  ) -> Counts {
    let experts = trace.selection(token: token, layer: layer).map(Int.init)
    cache.request(layer: layer, experts: experts.span, time: time, into: &outcomes)
    cache.finish(outcomes)
    return Counts(requestCount: experts.count, hitCount: outcomes.count(where: \.isHit))
  }

  private mutating func requestInTurn(
    _ trace: RoutingTrace, _ pass: Range<Int>, _ layer: Int
  ) -> Counts {
    group(trace, pass, layer)
    var counts = Counts(requestCount: requests.count, hitCount: 0)
    // The policy hears of the last tokens' experts.
    let known = pass.suffix(SelectionHistory.tokenCount)
    let experts = known.flatMap { trace.selection(token: $0, layer: layer).map(Int.init) }
    cache.beginStep(
      LayerStep(
        layer: layer, time: time + (requests.map(\.lastToken).max() ?? 0), experts: experts.span,
        expertsPerToken: trace.expertsPerToken))
    let sizeClass = cache.geometry.layers[layer].sizeClass
    let slotCount = cache.geometry.slotRanges[sizeClass].count
    let share = slotCount / cache.geometry.layersByClass[sizeClass].count
    let limit = max(share, min(trace.expertsPerToken, slotCount))
    var claimCount = 0
    // Residents are kept for their turn, but some slots go round.
    var kept = limit - max(1, min(8, limit / 2))
    for number in requests.indices where kept > 0 {
      if claim(number, layer) {
        counts.hitCount += 1
        claimCount += 1
        kept -= 1
      }
    }
    var next = 0
    for number in requests.indices {
      while next < requests.count {
        if requests[next].slot == nil {
          guard claimCount < limit else { break }
          if claim(next, layer) {
            counts.hitCount += 1
          } else if !admit(next, layer) {
            break
          }
          claimCount += 1
        }
        next += 1
      }
      guard let slot = requests[number].slot else {
        preconditionFailure("later requests hold all slots")
      }
      cache.unpin(slot)
      claimCount -= 1
    }
    return counts
  }

  /// Takes a request's expert if it is resident.
  private mutating func claim(_ number: Int, _ layer: Int) -> Bool {
    let request = requests[number]
    let expert = ExpertID(layer: layer, index: request.expert)
    guard let slot = cache.lookup(expert) else { return false }
    cache.recordUse(
      expert, time: time + request.lastToken, tokenCount: request.tokenCount, rank: request.rank)
    cache.pin(slot)
    requests[number].slot = slot
    return true
  }

  private mutating func admit(_ number: Int, _ layer: Int) -> Bool {
    let request = requests[number]
    guard
      let admission = cache.admit(
        ExpertID(layer: layer, index: request.expert), time: time + request.lastToken,
        tokenCount: request.tokenCount, rank: request.rank)
    else { return false }
    cache.pin(admission.slot)
    cache.markResident(admission.slot)
    requests[number].slot = admission.slot
    return true
  }

  /// The experts that a pass wants of a layer, each once, ascending.
  private mutating func group(_ trace: RoutingTrace, _ pass: Range<Int>, _ layer: Int) {
    var places = Array(repeating: -1, count: trace.expertCount)
    requests.removeAll(keepingCapacity: true)
    for token in pass {
      for (rank, expert) in trace.selection(token: token, layer: layer).enumerated() {
        if places[Int(expert)] < 0 {
          places[Int(expert)] = requests.count
          requests.append(
            Request(expert: Int(expert), lastToken: 0, rank: 0, tokenCount: 0, slot: nil))
        }
        requests[places[Int(expert)]].lastToken = token - pass.lowerBound
        requests[places[Int(expert)]].rank = rank
        requests[places[Int(expert)]].tokenCount += 1
      }
    }
    requests.sort { $0.expert < $1.expert }
  }
}
