/// How large a share of each batch's choices each expert of a layer gets.
package struct ExpertLoads: Sendable, Equatable {
  package let expertCount: Int
  package let batchCount: Int
  /// (expert, batch), from 0 to 1.
  package let loads: [Double]

  /// - Parameter loads: (expert)(batch); as many batches for each expert.
  package init(_ loads: [[Double]]) throws(RoutingAnalysisError) {
    expertCount = loads.count
    batchCount = loads.first?.count ?? 0
    guard loads.allSatisfy({ $0.count == loads.first?.count }), batchCount > 0,
      loads.joined().allSatisfy(\.isFinite)
    else {
      throw RoutingAnalysisError(
        "loads of \(loads.count) experts cannot be balanced: give a number for each of them and "
          + "every batch")
    }
    self.loads = Array(loads.joined())
  }

  /// One layer's loads in batches of so many tokens that follow each other; a rest is left out
  /// unless it is all there is.
  package init(
    _ routing: RoutingSequences, layer: Int, tokensPerBatch: Int
  ) throws(RoutingAnalysisError) {
    let tokens = routing.sequences.flatMap { Array($0) }
    guard !tokens.isEmpty, tokensPerBatch > 0, (0..<routing.layerCount).contains(layer) else {
      throw RoutingAnalysisError(
        "batches of \(tokensPerBatch) in \(tokens.count) tokens of layer \(layer) have no loads: "
          + "give a trace with tokens, a layer below \(routing.layerCount) and at least 1")
    }
    let batchCount = max(1, tokens.count / tokensPerBatch)
    try RoutingAnalysisError.checkTable(
      [routing.expertCount, batchCount], of: "experts and batches")
    var counts = [Int](repeating: 0, count: routing.expertCount * batchCount)
    var totals = [Int](repeating: 0, count: batchCount)
    for (index, token) in tokens.enumerated() where index / tokensPerBatch < batchCount {
      let batch = index / tokensPerBatch
      for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
        counts[Int(expert) * batchCount + batch] += 1
        totals[batch] += 1
      }
    }
    expertCount = routing.expertCount
    self.batchCount = batchCount
    loads = counts.enumerated().map { index, count in
      Double(count) / Double(max(1, totals[index % batchCount]))
    }
  }

  package func load(_ expert: Int, batch: Int) -> Double { loads[expert * batchCount + batch] }

  /// The mean over batches.
  package func mean(_ expert: Int) -> Double {
    loads[expert * batchCount..<(expert + 1) * batchCount].reduce(0, +) / Double(batchCount)
  }

  /// Pearson's correlation over batches; 0 where one of the two never changes.
  package func correlation(_ first: Int, _ second: Int) -> Double {
    let (firstMean, secondMean) = (mean(first), mean(second))
    var (product, firstSquare, secondSquare) = (0.0, 0.0, 0.0)
    for batch in 0..<batchCount {
      let left = load(first, batch: batch) - firstMean
      let right = load(second, batch: batch) - secondMean
      product += left * right
      firstSquare += left * left
      secondSquare += right * right
    }
    let length = (firstSquare * secondSquare).squareRoot()
    return length > 0 ? product / length : 0
  }
}

/// A layer's experts on devices so that every batch keeps all devices about equally busy ("Towards
/// MoE Deployment", arXiv 2303.06182).
package struct BalancedPlacement: Sendable, Equatable {
  package enum Rule: String, Sendable, CaseIterable, Encodable {
    /// Experts by falling mean load, each to the device with the least that has room.
    case greedy
    /// The same, but a device's load counts more for an expert the more its experts are busy at the
    /// same time as it: half their correlation is added.
    case antiCorrelated
  }

  package let rule: Rule
  package let deviceCount: Int
  /// (expert)
  package let devices: [Int]
  /// (batch): the load of the busiest device.
  package let busiest: [Double]
  /// The largest difference, over devices and batches, of a load from an even share: what the paper
  /// minimises.
  package let imbalance: Double

  /// Experts of the same load, and devices of the same, are taken in the order of their numbers.
  package init(
    _ loads: ExpertLoads, deviceCount: Int, rule: Rule
  ) throws(RoutingAnalysisError) {
    try ExpertPlacement.check(expertCount: loads.expertCount, deviceCount: deviceCount)
    let means = (0..<loads.expertCount).map { loads.mean($0) }
    let order = means.indices.sorted { (means[$1], $0) < (means[$0], $1) }
    var held = [[Int]](repeating: [], count: deviceCount)
    var devices = [Int](repeating: 0, count: loads.expertCount)
    for expert in order {
      var (best, bestLoad) = (0, Double.infinity)
      for device in 0..<deviceCount where held[device].count < loads.expertCount / deviceCount {
        let load = held[device].reduce(0.0) { sum, other in
          sum + means[other]
            + (rule == .antiCorrelated ? 0.5 * loads.correlation(expert, other) : 0)
        }
        if load < bestLoad { (best, bestLoad) = (device, load) }
      }
      held[best].append(expert)
      devices[expert] = best
    }
    var busiest: [Double] = []
    var imbalance = 0.0
    for batch in 0..<loads.batchCount {
      let sums = held.map { $0.reduce(0) { $0 + loads.load($1, batch: batch) } }
      busiest.append(sums.max() ?? 0)
      for sum in sums { imbalance = max(imbalance, abs(sum - 1 / Double(deviceCount))) }
    }
    self.rule = rule
    self.deviceCount = deviceCount
    self.devices = devices
    self.busiest = busiest
    self.imbalance = imbalance
  }

  package var busiestMax: Double { busiest.max() ?? 0 }
  package var busiestMean: Double { busiest.reduce(0, +) / Double(max(1, busiest.count)) }
}
