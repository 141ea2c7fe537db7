import MoECache
import MoECore
package import MoEExperts
package import MoEKernels

/// Multiplies in this process: weights come from a source, and the worker team computes.
package final class LocalExpertExecutor: ExpertExecutor {
  private let source: any ExpertSource
  private let team: WorkerTeam
  private let scratch: ExpertScratch
  private var products: ProductList
  /// Numbers of requests that became ready, reused from step to step.
  private var ready: [Int] = []

  /// An expert with more rows than this is computed by itself: its products are large enough for
  /// the whole team, and its inner states then stay in the caches.
  private static let sharedRowCountMax = 8

  package init(_ source: any ExpertSource, team: WorkerTeam, scratch: ExpertScratch) {
    self.source = source
    self.team = team
    self.scratch = scratch
    // Two products for each expert, and for each copy in fewer bits.
    products = ProductList(capacity: max(2, 4 * source.layout.expertCountMax))
    ready.reserveCapacity(source.layout.expertCountMax)
  }

  package func begin(_ work: ExpertWork) throws(ExpertError) {
    let selection = work.selection
    source.willBegin(
      layer: work.layer, experts: selection.experts, stride: selection.expertStride,
      tokenCount: selection.tokenCount, expertsPerToken: selection.expertsPerToken)
    try team.timed(.request) { () throws(ExpertError) in
      try source.begin(layer: work.layer, requests: work.requests)
    }
  }

  package func run(_ work: ExpertWork) throws(ExpertError) {
    defer { source.end() }
    if source.holdsEveryRequest && fitsScratch(work) {
      try runTogether(work)
    } else {
      try runInTurn(work)
    }
  }

  /// Whether all experts can be computed side by side, each for a few rows.
  private func fitsScratch(_ work: ExpertWork) -> Bool {
    let most = work.requests.reduce(0) { max($0, $1.tokenCount) }
    let limit = most > 1 ? min(scratch.rowCount, scratch.gatheredRowCount) : scratch.rowCount
    return most <= Self.sharedRowCountMax && work.groupedRowCount <= limit
  }

  /// Few rows: experts side by side, in waves as they become ready; hits are computed while misses
  /// load.
  private func runTogether(_ work: ExpertWork) throws(ExpertError) {
    while try waitForAny() > 0 {
      products.removeAll()
      for number in ready { appendInput(number, at: work.group(number), work) }
      team.multiply(products, as: .gateUp)
      for number in ready {
        finishInput(
          weights(of: number, work), at: work.group(number), group: work.group(number), work)
      }
      forEachRun { first, last in
        let rows = work.starts[first]..<work.starts[last + 1]
        activate(weights(of: first, work), at: rows, work.activation)
      }
      products.removeAll()
      for number in ready {
        appendDown(weights(of: number, work), at: work.group(number), work.activation)
      }
      team.multiply(products, as: .down)
      for number in ready {
        addDownBias(weights(of: number, work), at: work.group(number))
        source.release(number)
      }
    }
    addSums(of: 0..<work.groupedRowCount, work)
  }

  /// An expert that is ready.
  private func weights(of number: Int, _ work: ExpertWork) -> ExpertWeights {
    let weights = source.weights(of: number)
    let request = work.requests[number]
    // Copies in fewer bits are made of the weights with their factors.
    return request.isLow ? weights : work.scales.scaled(weights, expert: request.expert)
  }

  private func waitForAny() throws(ExpertError) -> Int {
    try team.timed(.request) { () throws(ExpertError) in try source.waitForAny(&ready) }
  }

  /// Requests that became ready together and follow each other have rows that follow each other.
  private func forEachRun(_ body: (_ first: Int, _ last: Int) -> Void) {
    var start = 0
    for index in ready.indices
    where index + 1 == ready.count || ready[index + 1] != ready[index] + 1 {
      body(ready[start], ready[index])
      start = index + 1
    }
  }

  /// Many rows: one expert after the other, each for all rows that take it, a batch of them at a
  /// time; later experts load meanwhile.
  private func runInTurn(_ work: ExpertWork) throws(ExpertError) {
    for number in work.requests.indices {
      let group = work.group(number)
      try team.timed(.request) { () throws(ExpertError) in try source.wait(for: number) }
      var start = group.lowerBound
      while start < group.upperBound {
        let end = min(start + scratch.gatheredRowCount, group.upperBound)
        compute(number, group: start..<end, work)
        start = end
      }
      source.release(number)
    }
  }

  /// One expert for some of the rows that take it.
  private func compute(_ number: Int, group: Range<Int>, _ work: ExpertWork) {
    let rows = 0..<group.count
    let expert = weights(of: number, work)
    products.removeAll()
    append(expert, tokens: work.rows.slice(group.lowerBound, count: group.count), at: rows, work)
    team.multiply(products, as: .gateUp)
    finishInput(expert, at: rows, group: group, work)
    activate(expert, at: rows, work.activation)
    products.removeAll()
    appendDown(expert, at: rows, work.activation)
    team.multiply(products, as: .down)
    addDownBias(expert, at: rows)
    addSums(of: group, work)
  }

  private func appendInput(_ number: Int, at rows: Range<Int>, _ work: ExpertWork) {
    append(
      weights(of: number, work), tokens: work.rows.slice(rows.lowerBound, count: rows.count),
      at: rows, work)
  }

  /// The products of an expert's input, to rows of the scratch.
  private func append(
    _ expert: ExpertWeights, tokens: IndexView, at rows: Range<Int>, _ work: ExpertWork
  ) {
    let width = expert.up.rowCount
    let upForm = expert.up.format.activation
    let upInput = input(tokens, form: upForm, at: rows, work)
    if let gate = expert.gate {
      let form = gate.format.activation
      products.append(
        gate, form == upForm ? upInput : input(tokens, form: form, at: rows, work),
        into: scratch.gate(rows, width: width))
    }
    products.append(expert.up, upInput, into: scratch.up(rows, width: width))
  }

  /// The input of an expert's rows, side by side; a single row is read where it is.
  private func input(
    _ tokens: IndexView, form: ActivationForm, at rows: Range<Int>, _ work: ExpertWork
  ) -> ActivationRows {
    let all = work.input.rows(form, count: work.output.rowCount)
    if tokens.count == 1 { return all.rows(Int(tokens[0]), count: 1) }
    let gathered = scratch.gathered(form, rows, width: all.columnCount)
    team.gather(all, rows: tokens, into: gathered)
    return gathered
  }

  /// What the first products lack: weights where these are factors on the input, of which the
  /// products are a multiple as well, and biases.
  private func finishInput(
    _ expert: ExpertWeights, at rows: Range<Int>, group: Range<Int>, _ work: ExpertWork
  ) {
    let width = expert.up.rowCount
    if work.weightPlacement == .input {
      let weights = work.weights.slice(group.lowerBound, count: group.count)
      team.scale(scratch.up(rows, width: width), by: 1, factors: weights)
      if expert.gate != nil {
        team.scale(scratch.gate(rows, width: width), by: 1, factors: weights)
      }
    }
    if let bias = expert.gateBias { team.addBias(bias, to: scratch.gate(rows, width: width)) }
    if let bias = expert.upBias { team.addBias(bias, to: scratch.up(rows, width: width)) }
  }

  /// From the first products to what the down projection reads, for rows of any experts of a layer:
  /// `expert` is one of them.
  private func activate(
    _ expert: ExpertWeights, at rows: Range<Int>, _ activation: Activation
  ) {
    let width = expert.up.rowCount
    team.activate(
      activation, gate: activation.isGated ? scratch.gate(rows, width: width) : nil,
      up: scratch.up(rows, width: width))
    let form = expert.down.format.activation
    guard form != .f32 else { return }
    team.quantize(
      innerFloats(rows, width: width, activation), into: scratch.inner(form, rows, width: width))
  }

  private func innerFloats(
    _ rows: Range<Int>, width: Int, _ activation: Activation
  ) -> FloatRows {
    activation.isGated ? scratch.gate(rows, width: width) : scratch.up(rows, width: width)
  }

  private func appendDown(
    _ expert: ExpertWeights, at rows: Range<Int>, _ activation: Activation
  ) {
    let width = expert.up.rowCount
    let form = expert.down.format.activation
    products.append(
      expert.down,
      form == .f32
        ? innerFloats(rows, width: width, activation).asActivations
        : scratch.inner(form, rows, width: width),
      into: scratch.down(rows, width: expert.down.rowCount))
  }

  private func addDownBias(_ expert: ExpertWeights, at rows: Range<Int>) {
    guard let bias = expert.downBias else { return }
    team.addBias(bias, to: scratch.down(rows, width: expert.down.rowCount))
  }

  /// Adds what the first rows of the scratch hold to the rows that want it, in the order of the
  /// group.
  private func addSums(of group: Range<Int>, _ work: ExpertWork) {
    team.scatterAdd(
      scratch.down(0..<group.count, width: work.output.columnCount),
      tokens: work.rows.slice(group.lowerBound, count: group.count),
      weights: work.weightPlacement == .input
        ? nil : work.weights.slice(group.lowerBound, count: group.count), into: work.output)
  }
}
