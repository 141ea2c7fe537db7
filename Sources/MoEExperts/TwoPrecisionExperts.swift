package import MoECache
package import MoECore

/// Experts in a pool, and copies of all of them in fewer bits in memory, which answer requests that
/// need not wait for the disk (HOBBIT, arXiv 2411.01433). Who needs which is decided above.
///
/// What a copy has answered is read behind the step and used from the next time on: of each layer
/// the expert with the most weight, as often as the share of reading says. What is in memory
/// follows from what was asked for alone, so the same run gives the same text.
package final class TwoPrecisionExperts: ExpertSource {
  package let high: OffloadedExperts
  package let low: ResidentExperts
  /// Experts that are read behind a step through all layers, at most.
  private let behindCountPerStep: Double
  private let routedLayerCount: Int
  /// What of these the layers so far have left.
  private var credit = 0.0
  private var layer = 0
  /// Requests of the step in progress; those for copies come last.
  private var requests: [ExpertRequest] = []
  private var highCount = 0
  private var lowWasReturned = false
  private var phase = InferencePhase.prefill
  private var (prefillLowCount, decodeLowCount) = (0, 0)

  /// - Parameter behindCountPerStep: 0: what copies answer is never read.
  package init(_ high: OffloadedExperts, low: ResidentExperts, behindCountPerStep: Double) {
    precondition(high.layout.layers.count == low.layout.layers.count && behindCountPerStep >= 0)
    self.high = high
    self.low = low
    self.behindCountPerStep = behindCountPerStep
    routedLayerCount = high.layout.layers.count { $0.expertCount > 0 }
    requests.reserveCapacity(2 * high.layout.expertCountMax)
  }

  package var layout: ExpertLayout { high.layout }

  package func isResident(layer: Int, expert: Int) -> Bool {
    high.isResident(layer: layer, expert: expert)
  }

  package func beginSequence(_ sequence: SequenceID) { high.beginSequence(sequence) }
  package func endSequence(_ sequence: SequenceID) { high.endSequence(sequence) }

  package func beginStep(_ rows: StepRows) {
    phase = rows.phase
    high.beginStep(rows)
    low.beginStep(rows)
  }

  package func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {
    high.willBegin(
      layer: layer, experts: experts, stride: stride, tokenCount: tokenCount,
      expertsPerToken: expertsPerToken)
  }

  package func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError) {
    self.layer = layer
    self.requests.removeAll(keepingCapacity: true)
    self.requests.append(contentsOf: requests)
    highCount = requests.firstIndex(where: \.isLow) ?? requests.count
    lowWasReturned = highCount == requests.count
    try high.begin(layer: layer, requests: Array(requests.prefix(highCount)))
    low.begin(layer: layer, requests: Array(requests.dropFirst(highCount)))
    let lowCount = requests.count - highCount
    if phase == .prefill { prefillLowCount += lowCount } else { decodeLowCount += lowCount }
  }

  /// Copies first, while the others are read.
  package func waitForAny(_ ready: inout [Int]) throws(ExpertError) -> Int {
    guard !lowWasReturned else { return try high.waitForAny(&ready) }
    lowWasReturned = true
    ready.removeAll(keepingCapacity: true)
    ready.append(contentsOf: highCount..<requests.count)
    return ready.count
  }

  package func wait(for number: Int) throws(ExpertError) {
    if number < highCount { try high.wait(for: number) }
  }

  package func weights(of number: Int) -> ExpertWeights {
    number < highCount ? high.weights(of: number) : low.weights(of: number - highCount)
  }

  package func release(_ number: Int) {
    if number < highCount { high.release(number) }
  }

  package func end() {
    high.end()
    low.end()
    readBehind()
    requests.removeAll(keepingCapacity: true)
  }

  /// Reads the expert that would have had the most say, if it is this layer's turn.
  private func readBehind() {
    guard routedLayerCount > 0, behindCountPerStep > 0 else { return }
    let share = behindCountPerStep / Double(routedLayerCount)
    credit = min(credit + share, max(1, share))
    while credit >= 1, highCount < requests.count {
      let best = requests[highCount...].min {
        ($0.rank, -$0.tokenCount, $0.expert) < ($1.rank, -$1.tokenCount, $1.expert)
      }
      guard let best else { return }
      requests.removeAll { $0 == best }
      if high.readBehind(ExpertID(layer: layer, index: best.expert), rank: best.rank) {
        credit -= 1
      }
    }
  }

  package var holdsEveryRequest: Bool { high.holdsEveryRequest }

  package func canPrefetch(layer: Int) -> Bool { high.canPrefetch(layer: layer) }

  package func prefetch(layer: Int, guesses: [ExpertGuess]) {
    high.prefetch(layer: layer, guesses: guesses)
  }

  package var loanByteCount: Int { high.loanByteCount }

  package func setLoan(byteCount: Int) { high.setLoan(byteCount: byteCount) }

  package func advance() { high.advance() }

  package var statistics: ExpertStatistics {
    var statistics = high.statistics
    statistics.prefill.lowCount = prefillLowCount
    statistics.decode.lowCount = decodeLowCount
    return statistics
  }
}
