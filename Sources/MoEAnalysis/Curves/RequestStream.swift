/// The requests that one pool of slots sees, one after the other: a layer's, or the model's.
struct RequestStream: Sendable {
  /// Experts that may be asked for; with several layers numbered through all of them.
  let expertCount: Int
  /// (request)
  let experts: [Int32]
  /// (token): its first request; one more entry for the end.
  let tokenStarts: [Int32]
  /// (step): the first request of those that are looked up together; one more for the end.
  let stepStarts: [Int32]
  /// (token): its first step; one more entry for the end.
  let tokenSteps: [Int32]
  let sequences: [Range<Int>]

  /// One layer's requests, looked up together for each token, in the order recorded.
  init(_ routing: RoutingSequences, layer: Int) {
    self.init(routing, layers: layer..<layer + 1, lookUp: .layer, order: .asRecorded)
  }

  /// The requests of some layers in the order in which they run.
  init(
    _ routing: RoutingSequences, layers: Range<Int>, lookUp: ReplayConventions.LookUp,
    order: ReplayConventions.Order
  ) {
    expertCount = layers.count * routing.expertCount
    sequences = routing.sequences
    let tokenCount = routing.sequences.last?.upperBound ?? 0
    var builder = Builder(
      capacity: tokenCount * layers.count * routing.expertsPerToken, tokenCount: tokenCount)
    for token in 0..<tokenCount {
      for layer in layers {
        let first = (token * routing.layerCount + layer) * routing.expertsPerToken
        let base = Int32((layer - layers.lowerBound) * routing.expertCount)
        builder.add(
          routing.experts, first..<first + routing.expertsPerToken, base: base, order: order)
        if lookUp == .layer { builder.endStep() }
        if lookUp == .expert { builder.endSteps() }
      }
      if lookUp == .token { builder.endStep() }
      builder.endToken()
    }
    experts = builder.experts
    tokenStarts = builder.tokenStarts
    stepStarts = builder.stepStarts
    tokenSteps = builder.tokenSteps
  }

  func requests(ofToken token: Int) -> Range<Int> {
    Int(tokenStarts[token])..<Int(tokenStarts[token + 1])
  }

  func steps(ofToken token: Int) -> Range<Int> {
    Int(tokenSteps[token])..<Int(tokenSteps[token + 1])
  }

  func requests(ofStep step: Int) -> Range<Int> {
    Int(stepStarts[step])..<Int(stepStarts[step + 1])
  }

  private struct Builder {
    var experts: [Int32] = []
    var tokenStarts: [Int32] = [0]
    var stepStarts: [Int32] = [0]
    var tokenSteps: [Int32] = [0]

    init(capacity: Int, tokenCount: Int) {
      experts.reserveCapacity(capacity)
      tokenStarts.reserveCapacity(tokenCount + 1)
      tokenSteps.reserveCapacity(tokenCount + 1)
    }

    mutating func add(
      _ choices: [Int32], _ range: Range<Int>, base: Int32, order: ReplayConventions.Order
    ) {
      let first = experts.count
      switch order {
      case .asRecorded, .ascending:
        for index in range where choices[index] >= 0 { experts.append(base + choices[index]) }
      case .bestLast:
        for index in range.reversed() where choices[index] >= 0 {
          experts.append(base + choices[index])
        }
      }
      if order == .ascending { experts[first...].sort() }
    }

    /// Steps in which nobody asks for anything are none.
    mutating func endStep() {
      if Int(stepStarts[stepStarts.count - 1]) < experts.count {
        stepStarts.append(Int32(experts.count))
      }
    }

    mutating func endSteps() {
      while Int(stepStarts[stepStarts.count - 1]) < experts.count {
        stepStarts.append(stepStarts[stepStarts.count - 1] + 1)
      }
    }

    mutating func endToken() {
      tokenStarts.append(Int32(experts.count))
      tokenSteps.append(Int32(stepStarts.count - 1))
    }
  }
}
