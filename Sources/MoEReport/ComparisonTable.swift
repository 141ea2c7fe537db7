import MoEAnalysis

/// The figures of two sides that answer whether one of them is the better one to run here.
enum ComparisonTable {
  static func table(_ document: ReportDocument) -> ReportTable {
    let rows = entries.map { name, figure in [name] + document.reports.map(figure) }
    return ReportTable(
      head: [""] + document.labels, rows: rows.filter { $0.dropFirst().contains { !$0.isEmpty } })
  }

  private static var entries: [(name: String, figure: (ReportSide) -> String)] {
    [
      ("tokens", { "\($0.routing.source.tokens)" }),
      (
        "experts",
        { "\($0.routing.source.expertsPerToken) of \($0.routing.source.experts)" }
      ),
      ("layers", { "\($0.routing.source.layers.count)" }),
      ("SRP, 16 tokens", srp),
      ("hit rate, 25 % of experts", { rate($0, 0.25, $0.routing.hitRates.defaultPolicy) }),
      ("hit rate, 50 % of experts", { rate($0, 0.5, $0.routing.hitRates.defaultPolicy) }),
      ("optimum, 50 % of experts", { rate($0, 0.5, $0.routing.hitRates.optimum) }),
      (
        "shared with the token before",
        { $0.routing.reuse.overlaps.first.map { Figures.percent($0.share) } ?? "" }
      ),
      ("half of reuses within", { $0.routing.reuse.median.map { "\($0) tokens" } ?? "" }),
      ("entropy of use", { Decimals.text($0.routing.use.normalizedEntropy, 3) }),
      ("smallest memory", { $0.speed?.rows.first?.memoryBytes.map(Figures.bytes) ?? "" }),
      ("tokens/s in it", { speed($0.speed?.shown.rows.first) }),
      ("memory for half of the experts", { memory($0.speed?.row(nearShare: 0.5)) }),
      ("tokens/s in it, this disk", { speed($0.speed?.shown.row(nearShare: 0.5)) }),
      ("memory for all experts", { memory(resident($0)) }),
      ("tokens/s in it", { speed(resident($0)) }),
    ]
  }

  /// The least memory of the table that holds all experts.
  private static func resident(_ side: ReportSide) -> SpeedReport.Row? {
    side.speed?.shown.rows.first(where: \.isResident)
  }

  private static func srp(_ side: ReportSide) -> String {
    let point = side.routing.consistency.points.first { $0.segmentLength == 16 }
    return point.map { Decimals.text($0.performance.value, 3) } ?? "too short"
  }

  private static func rate(
    _ side: ReportSide, _ share: Double, _ line: HitRateReport.Line?
  ) -> String {
    line.map { Figures.percent(side.routing.hitRates.hitRate($0, share: share)) } ?? ""
  }

  private static func speed(_ row: SpeedReport.Row?) -> String {
    row.map { $0.tokensPerSecond.first.map(Figures.speed) ?? "not predicted" } ?? ""
  }

  private static func memory(_ row: SpeedReport.Row?) -> String {
    row.map { Figures.bytes($0.memoryBytes ?? $0.poolBytes) } ?? ""
  }
}
