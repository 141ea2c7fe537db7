extension HitCurves {
  /// The most used experts of the whole trace pinned, which is the best that a pool can do that
  /// never changes. Its experts are there from the start, so there are no cold misses.
  package init(
    pinning routing: RoutingSequences, scope: ReplayConventions.Scope
  ) throws(RoutingAnalysisError) {
    try Self.checkTable(
      routing, expertCount: routing.expertCount * (scope == .pool ? routing.layerCount : 1))
    let scopes =
      scope == .layer ? (0..<routing.layerCount).map { $0..<$0 + 1 } : [0..<routing.layerCount]
    var parts: [HitCurve] = []
    var sequences = [HitCurve](repeating: .empty, count: routing.sequences.count)
    for layers in scopes {
      let stream = RequestStream(routing, layers: layers, lookUp: .token, order: .asRecorded)
      var bySequence: [[Int]] = []
      var total = [Int](repeating: 0, count: stream.expertCount)
      for tokens in stream.sequences {
        var counts = [Int](repeating: 0, count: stream.expertCount)
        for token in tokens {
          for request in stream.requests(ofToken: token) {
            counts[Int(stream.experts[request])] += 1
          }
        }
        for expert in total.indices { total[expert] += counts[expert] }
        bySequence.append(counts)
      }
      let order = total.indices.sorted { (total[$1], $0) < (total[$0], $1) }
      func curve(_ counts: [Int]) -> HitCurve {
        HitCurve(
          warm: order.map { counts[$0] }, cold: Array(repeating: 0, count: counts.count),
          requestCount: counts.reduce(0, +))
      }
      parts.append(curve(total))
      for index in sequences.indices {
        sequences[index] = sequences[index] + curve(bySequence[index])
      }
    }
    var conventions = ReplayConventions.december
    conventions.scope = scope
    self.init(
      conventions: conventions, parts: parts, sequences: sequences,
      slotsPerToken: routing.expertsPerToken * scopes[0].count)
  }
}
