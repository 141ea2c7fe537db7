import MoEAnalysis

/// One pool of slots and one rule, in their plainest form: lists that are searched from end to end,
/// and the future read from the trace each time.
struct NaiveReplay {
  let slots: Int
  let rule: StackRule
  let conventions: ReplayConventions
  private(set) var warmHitCount = 0
  private(set) var creditedCount = 0
  private(set) var requestCount = 0

  private var residents: [Int] = []
  private var seen: Set<Int> = []
  private var lastUses: [Int: Int] = [:]
  private var useCounts: [Int: Int] = [:]
  private var clock = 0

  var hitCount: Int {
    warmHitCount + (conventions.coldMisses == .credited ? creditedCount : 0)
  }

  /// One request: which expert, and which token and step it belongs to.
  private struct Request {
    var expert: Int
    var token: Int
    var step: Int
  }

  init(
    _ routing: RoutingSequences, layers: Range<Int>, slots: Int, rule: StackRule,
    conventions: ReplayConventions
  ) {
    self.slots = slots
    self.rule = rule
    self.conventions = conventions
    var sequences: [[Request]] = []
    var step = 0
    for tokens in routing.sequences {
      var requests: [Request] = []
      for token in tokens {
        for layer in layers {
          var chosen = routing.selection(token: token, layer: layer).filter { $0 >= 0 }
          if conventions.order == .bestLast { chosen.reverse() }
          if conventions.order == .ascending { chosen.sort() }
          for expert in chosen {
            requests.append(
              Request(
                expert: (layer - layers.lowerBound) * routing.expertCount + Int(expert),
                token: token, step: step))
            if conventions.lookUp == .expert { step += 1 }
          }
          if conventions.lookUp == .layer { step += 1 }
        }
        if conventions.lookUp == .token { step += 1 }
      }
      sequences.append(requests)
    }
    for index in sequences.indices {
      if conventions.continuity == .restarted {
        (residents, seen, lastUses, useCounts) = ([], [], [:], [:])
      }
      let later =
        conventions.continuity == .continued ? Array(sequences[(index + 1)...].joined()) : []
      replay(sequences[index], later: later)
    }
  }

  private mutating func replay(_ requests: [Request], later: [Request]) {
    var first = 0
    while first < requests.count {
      let end =
        requests[first...].firstIndex { $0.step != requests[first].step } ?? requests.count
      let step = requests[first..<end]
      for request in step {
        requestCount += 1
        if residents.contains(request.expert) { warmHitCount += 1 }
        if seen.insert(request.expert).inserted && seen.count <= slots { creditedCount += 1 }
      }
      for (index, request) in zip(step.indices, step) {
        if !residents.contains(request.expert) {
          if residents.count == slots { evict(requests, at: index, step: step, later: later) }
          if slots > 0 { residents.append(request.expert) }
        }
        clock += 1
        lastUses[request.expert] = clock
        useCounts[request.expert, default: 0] += 1
      }
      first = end
    }
  }

  private mutating func evict(
    _ requests: [Request], at index: Int, step: ArraySlice<Request>, later: [Request]
  ) {
    guard slots > 0 else { return }
    let guarded: Set<Int> =
      switch conventions.protection {
      case .none: []
      case .pending: Set(step[(index + 1)...].map(\.expert))
      case .step: Set(step.map(\.expert))
      }
    let idle = residents.filter { !guarded.contains($0) }
    let candidates = idle.isEmpty ? residents : idle
    let worths = candidates.map { worth(of: $0, requests, at: index, later: later) }
    guard let least = worths.indices.min(by: { worths[$0].lexicographicallyPrecedes(worths[$1]) })
    else { return }
    residents.removeAll { $0 == candidates[least] }
  }

  /// What is evicted first is worth least.
  private func worth(
    of expert: Int, _ requests: [Request], at index: Int, later: [Request]
  ) -> [Int] {
    let last = lastUses[expert] ?? 0
    switch rule {
    case .lru: return [last]
    case .lfu: return [useCounts[expert] ?? 0, last]
    case .belady:
      let rest = requests[(index + 1)...] + later
      let next = rest.firstIndex { $0.expert == expert } ?? Int.max
      return [next == Int.max ? Int.min : -next]
    case .segment(let length):
      let token = requests[index].token
      let uses = requests[index...].count {
        $0.expert == expert && $0.token < token + length
      }
      return [uses, last]
    }
  }
}
