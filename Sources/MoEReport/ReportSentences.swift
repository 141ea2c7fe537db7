import MoEAnalysis

/// What the figures mean, in sentences that the page and the text share.
enum ReportSentences {
  /// The answer that people come for.
  static func headline(_ side: ReportSide, name: String) -> String {
    guard let speed = side.speed, !speed.rows.isEmpty else {
      return withoutModel(side.routing, name: name)
    }
    guard speed.basis == .model else { return diskBound(speed, name: name) }
    guard speed.predictionHolds else { return withoutModel(side.routing, name: name) }
    let disk = speed.disks.first.map { Figures.rate($0.bytesPerSecond) } ?? ""
    let middle = speed.row(nearShare: 0.5)
    var parts: [String] = []
    for row in [speed.rows.first, middle].compactMap(\.self) where !row.isResident {
      let text =
        "\(memory(row)) of memory (\(Figures.percent(row.poolShare)) of its experts) give "
        + "\(Figures.speed(row.tokensPerSecond.first ?? nil)) tokens/s"
      if parts.last != text { parts.append(text) }
    }
    if let full = speed.rows.first(where: \.isResident) {
      parts.append(
        "\(memory(full)), which hold all experts, give "
          + "\(Figures.speed(full.tokensPerSecond.first ?? nil))")
    }
    return "\(name) on this machine, whose disk delivers \(disk): "
      + parts.joined(separator: "; ") + "."
  }

  /// In place of a speed.
  static let noPrediction =
    "No speed is predicted: what a token needs of a layer is so little that waking threads, not "
    + "memory and products, decides how long it takes."

  private static func diskBound(_ speed: SpeedReport, name: String) -> String {
    guard let row = speed.row(nearShare: 0.5), let disk = speed.disks.first else {
      return "\(name) has no memory in which it could run."
    }
    let rate = row.tokensPerSecond.first ?? nil
    return "\(name): a pool of \(Figures.bytes(row.poolBytes)) "
      + "(\(Figures.percent(row.poolShare)) of the experts) leaves "
      + "\(Figures.bytes(row.readBytesPerToken)) to read for a token; a disk of "
      + "\(Figures.rate(disk.bytesPerSecond)) allows at most \(Figures.speed(rate)) tokens/s."
  }

  private static func withoutModel(_ routing: RoutingReport, name: String) -> String {
    let rates = routing.hitRates
    guard let policy = rates.defaultPolicy, let optimum = rates.optimum else {
      return "\(name): no policy was replayed."
    }
    let rate = rates.hitRate(policy, share: 0.5)
    let less = rate < 1 ? 1 / (1 - rate) : .infinity
    let fewer =
      less.isFinite
      ? "a token reads \(Figures.short(less)) times less than without a pool"
      : "a token reads nothing"
    return "\(name): a pool with half of the experts finds \(Figures.percent(rate)) of what tokens "
      + "ask for, so \(fewer); the best possible policy would find "
      + "\(Figures.percent(rates.hitRate(optimum, share: 0.5)))."
  }

  private static func memory(_ row: SpeedReport.Row) -> String {
    row.memoryBytes.map(Figures.bytes) ?? Figures.bytes(row.poolBytes)
  }

  /// What routing consistency says of this model.
  static func consistency(_ report: ConsistencyReport, name: String) -> String {
    guard let point = report.points.first(where: { $0.segmentLength == 16 }) else {
      return "\(name) has no text of 16 tokens, so its consistency cannot be compared."
    }
    let value = point.performance.value
    let kind =
      switch value {
      case 0.5...: "strongly: what a token used is likely to be used again, so a small pool serves"
      case 0.4..<0.5: "moderately: a pool pays, and its size matters"
      default: "weakly: a pool must be large to be of use"
      }
    let rank = report.lowerCount.map {
      " It is above \($0) of \(report.comparedCount) published decoders"
        + (report.nearest.map { ", nearest to \($0)" } ?? "") + "."
    }
    return "In \(name) the experts of a stretch of 16 tokens agree \(kind) "
      + "(SRP \(Decimals.text(value, 3))\(interval(point.performance)))." + (rank ?? "")
  }

  /// ", 0.51 to 0.53", or nothing.
  static func interval(_ estimate: ReportEstimate) -> String {
    guard let low = estimate.low, let high = estimate.high else { return "" }
    return ", \(Decimals.text(low, 3)) to \(Decimals.text(high, 3))"
  }

  static func hitRates(_ report: HitRateReport, name: String) -> String {
    guard let policy = report.defaultPolicy, let optimum = report.optimum else {
      return "\(name): no policy was replayed."
    }
    let shares = [0.25, 0.5]
    let texts = shares.map { share in
      "\(Figures.percent(report.hitRate(policy, share: share))) with "
        + "\(Figures.percent(share)) of the experts in memory "
        + "(optimum \(Figures.percent(report.hitRate(optimum, share: share))))"
    }
    return "\(name): \(policy.name), the engine's policy, hits \(texts.joined(separator: ", "))."
  }

  static func use(_ report: ExpertUseReport, expertCount: Int, name: String) -> String {
    let hot = report.hotExperts.reduce(0, +)
    let mean = Double(hot) / Double(max(1, report.hotExperts.count))
    var text =
      "\(name): nine tenths of all uses fall on \(Figures.plain((mean * 10).rounded() / 10)) of a "
      + "layer's \(expertCount) experts; entropy is \(Decimals.text(report.normalizedEntropy, 3)) "
      + "of that of even use."
    if let pair = mostAlike(report) {
      text +=
        " Of the texts, \(pair.first) and \(pair.second) have most in common "
        + "(\(Figures.percent(pair.share)) of their use)."
    }
    return text
  }

  private static func mostAlike(
    _ report: ExpertUseReport
  ) -> (first: String, second: String, share: Double)? {
    var best: (first: String, second: String, share: Double)?
    for (row, shares) in report.sharedUse.enumerated() {
      for (column, share) in shares.enumerated() where column > row && share > best?.share ?? -1 {
        best = (domain(report.domains[row]), domain(report.domains[column]), share)
      }
    }
    return report.domains.count > 2 ? best : nil
  }

  static func domain(_ domain: ExpertUseReport.Domain) -> String {
    domain.label.isEmpty ? "unlabelled" : domain.label
  }

  static func reuse(_ report: ReuseReport, name: String) -> String {
    guard let median = report.median else {
      return "\(name) uses no expert twice in a sequence."
    }
    let next = report.overlaps.first.map {
      " A token shares \(Figures.percent($0.share)) of its experts with the one before it; by "
        + "popularity alone it would be \(Figures.percent(report.independentOverlap))."
    }
    return "\(name): half of all reuses come within "
      + "\(Figures.counted(median, "token", "tokens"))." + (next ?? "")
  }

  static func prediction(_ report: RecallReport, name: String) -> String {
    let found = report.lines.filter { $0.layerDistance == 1 }.compactMap { line in
      report.recallAtExpertsPerToken(line).map { (line.predictor, $0) }
    }
    guard let affinity = found.first(where: { $0.0 == .affinity }),
      let popularity = found.first(where: { $0.0 == .popularity })
    else { return "\(name) has one layer, or no token to learn from: nothing can be named ahead." }
    return "\(name): named from the layer before, \(report.expertsPerToken) experts hold "
      + "\(Figures.percent(affinity.1)) of those that the next layer takes; the most used ones "
      + "hold \(Figures.percent(popularity.1))."
  }
}
