import MoEAnalysis

/// Hit rate by memory for every policy, with what bounds them.
enum HitRateSection {
  /// Lines that a drawing has room for, policies and bounds together.
  private static let lineCountMax = 6

  static func markup(_ document: ReportDocument) -> Markup {
    let sides = Array(zip(document.reports, document.names))
    var content = sides.map {
      ReportParts.paragraph(ReportSentences.hitRates($0.routing.hitRates, name: $1))
    }
    content += [
      chart(document).markup,
      ReportParts.caption(
        "How to read it: the share of requests for experts that are in memory, by the share of the "
          + "experts that the pool holds. No policy gets above the optimum, which knows the "
          + "future; a pinned pool never changes. Counted as the engine runs: each layer has its "
          + "part of the pool, kept from text to text, and first uses are misses. All policies are "
          + "in the table. Short traces level off below 100 %: what is left are first uses."),
    ]
    content += sides.map { table($0).details("Figures of every policy, \($1)") }
    return ReportParts.section("memory", "Hit rate by memory", content)
  }

  /// The default policy, the bounds, and the policies that are best in the middle.
  private static func drawn(
    _ report: HitRateReport, isCompared: Bool
  ) -> [HitRateReport.Line] {
    let optimum = report.lines.filter { $0.kind == .optimum }
    let own = report.defaultPolicy.map { [$0] } ?? []
    if isCompared { return own + optimum }
    let bounds = optimum + report.lines.filter { $0.kind == .pinned || $0.kind == .lookAhead }
    let others = report.lines.filter { $0.kind == .policy && $0.name != own.first?.name }
      .sorted { report.hitRate($0, share: 0.5) > report.hitRate($1, share: 0.5) }
    let room = max(0, lineCountMax - own.count - bounds.count)
    return own + others.prefix(room) + bounds
  }

  private static func chart(_ document: ReportDocument) -> LineChart {
    var lines: [LineChart.Line] = []
    let isCompared = document.reports.count > 1
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let report = side.routing.hitRates
      for line in drawn(report, isCompared: isCompared) {
        let title = isCompared ? "\(line.name), \(name)" : line.name
        lines.append(
          LineChart.Line(
            name: title, colour: isCompared ? index : lines.count,
            points: zip(report.slotsPerLayer, line.hitRates).map { slots, rate in
              let share = Double(slots) / Double(report.expertsPerLayer)
              return LineChart.Point(
                x: share, y: rate,
                note: "\(Figures.percent(share)) of the experts, hit rate \(Figures.percent(rate))")
            }, isDashed: line.kind != .policy))
      }
    }
    let speed = isCompared ? nil : document.reports.first?.speed
    var chart = LineChart(
      title: "Hit rate by share of the experts in memory",
      x: .share("experts in memory"), y: .share("hit rate"), lines: lines)
    if let bytes = poolBytes(speed) {
      chart.secondTicks = [0, 0.2, 0.4, 0.6, 0.8, 1].map {
        ChartAxis.Tick(value: $0, label: Figures.bytes($0 * bytes))
      }
      chart.secondTitle = "memory of the pool"
    }
    return chart
  }

  /// Bytes of all experts, from a row of the table of speeds; nil where there is none.
  private static func poolBytes(_ speed: SpeedReport?) -> Double? {
    guard let row = speed?.rows.last, row.poolShare > 0 else { return nil }
    return Double(row.poolBytes) / row.poolShare
  }

  private static func table(_ side: ReportSide) -> ReportTable {
    let report = side.routing.hitRates
    let head =
      ["experts in memory"]
      + report.slotsPerLayer.map {
        Figures.percent(Double($0) / Double(report.expertsPerLayer))
      }
    let slots = ["slots of a layer"] + report.slotsPerLayer.map(String.init)
    var rows = [slots]
    if let bytes = poolBytes(side.speed) {
      rows.append(
        ["memory"]
          + report.slotsPerLayer.map {
            Figures.bytes(bytes * Double($0) / Double(report.expertsPerLayer))
          })
    }
    rows += report.lines.map { line in
      [line.name + (line.isDefault ? " (engine's)" : "")] + line.hitRates.map(Figures.percent)
    }
    return ReportTable(head: head, rows: rows)
  }
}
