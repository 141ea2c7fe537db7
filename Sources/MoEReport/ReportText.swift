import MoEAnalysis

/// The report on one screen of 80 columns and 40 lines.
package enum ReportText {
  static let columnCount = 80
  static let lineCountMax = 40
  private static let rowCountMax = 6

  package static func text(_ document: ReportDocument) -> String {
    let lines =
      document.reports.count > 1
      ? compared(document) : document.reports.first.map { single($0, document) } ?? []
    return lines.map { String(printable($0).prefix(columnCount)) }.joined(separator: "\n") + "\n"
  }

  private static func single(_ side: ReportSide, _ document: ReportDocument) -> [String] {
    let name = Figures.clipped(document.names.first ?? "", to: 32)
    var lines = wrapped(clippedSource(side))
    lines += wrapped(ReportSentences.headline(side, name: name)) + [""]
    if let speed = side.speed { lines += self.speed(speed) + [""] }
    lines += hitRates(side.routing.hitRates) + [""]
    for sentence in [
      ReportSentences.consistency(side.routing.consistency, name: name),
      ReportSentences.reuse(side.routing.reuse, name: name),
      ReportSentences.prediction(side.routing.prediction, name: name),
    ] { lines += wrapped(sentence) }
    if let frontier = document.frontier { lines += wrapped(gating(frontier)) }
    return lines
  }

  private static func compared(_ document: ReportDocument) -> [String] {
    let table = ComparisonTable.table(document)
    let rows = ([table.head] + table.rows).map { row in
      row.enumerated().map { Figures.clipped($1, to: $0 == 0 ? 30 : 22) }
    }
    return document.reports.flatMap { wrapped(clippedSource($0)) } + [""]
      + lines(rows, right: [1, 2]) + [""]
      + zip(document.reports, document.names).flatMap { side, name in
        wrapped(ReportSentences.headline(side, name: Figures.clipped(name, to: 24)))
      }
  }

  private static func clippedSource(_ side: ReportSide) -> String {
    var routing = ReportPage.source(side)
    let name = side.routing.source.name
    if name.count > 48 {
      routing = Figures.clipped(name, to: 48) + routing.dropFirst(name.count)
    }
    return routing
  }

  private static func speed(_ report: SpeedReport) -> [String] {
    let speed = report.shown
    let hasMeasured = speed.rows.contains { $0.measured != nil }
    let disks = speed.disks.prefix(5)
    var head = [speed.basis == .model ? "memory" : "pool", "experts", "hits"]
    head += disks.map { Figures.rate($0.bytesPerSecond) + ($0.isMeasured ? "*" : "") }
    if hasMeasured { head.append("measured") }
    let rows = spread(speed.rows, to: rowCountMax).map { row in
      var cells = [
        Figures.bytes(row.memoryBytes ?? row.poolBytes),
        row.isResident ? "all" : Figures.percent(row.poolShare), Figures.percent(row.hitRate),
      ]
      cells += zip(row.tokensPerSecond, disks).map { rate, _ in Figures.speed(rate) }
      if hasMeasured { cells.append(row.measured.map { Figures.short($0.tokensPerSecond) } ?? "") }
      return cells
    }
    let star = disks.contains(where: \.isMeasured) ? "; *: this machine's" : ""
    let kind = speed.basis == .model ? "predicted" : "at most, by the disk alone,"
    let title =
      speed.predictionHolds
      ? ["tokens per second \(kind) on disks of so much" + star]
      : wrapped(ReportSentences.noPrediction)
    return title
      + lines([head] + rows, right: Set(1...head.count))
  }

  /// Some of many rows, the first and the last among them.
  private static func spread<Row>(_ rows: [Row], to count: Int) -> [Row] {
    guard rows.count > count, count > 1 else { return rows }
    return (0..<count).map { rows[$0 * (rows.count - 1) / (count - 1)] }
  }

  private static func hitRates(_ report: HitRateReport) -> [String] {
    let shares = [0.125, 0.25, 0.5, 0.75]
    let others = report.lines.filter { $0.kind == .policy && !$0.isDefault }
    let best = others.max {
      report.hitRate($0, share: 0.5) < report.hitRate($1, share: 0.5)
    }
    let shown = [report.defaultPolicy, best, report.optimum].compactMap(\.self)
    let rows = shown.map { line in
      [line.name + (line.isDefault ? " (engine's)" : "")]
        + shares.map { Figures.percent(report.hitRate(line, share: $0)) }
    }
    return lines(
      [["hit rate by experts in memory"] + shares.map(Figures.percent)] + rows,
      right: Set(1...shares.count))
  }

  private static func gating(_ frontier: GatingFrontier) -> String {
    guard let off = frontier.points.first,
      let least = frontier.points.min(by: { $0.meanExpertCount < $1.meanExpertCount })
    else { return "" }
    return "Gating: from \(Decimals.text(off.meanExpertCount, 2)) to "
      + "\(Decimals.text(least.meanExpertCount, 2)) experts per token (\(least.gating)), "
      + "perplexity goes from \(Decimals.text(off.perplexity, 2)) to "
      + "\(Decimals.text(least.perplexity, 2))."
  }

  private static func lines(_ rows: [[String]], right: Set<Int>) -> [String] {
    Columns.text(rows, right: right).split(separator: "\n").map { String($0.dropFirst()) }
  }

  /// Words in lines.
  static func wrapped(_ text: String) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty && line.count + 1 + word.count > columnCount {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// Nothing that a terminal would take for an order.
  private static func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isControl =
        scalar.properties.generalCategory == .control
        || scalar.properties.generalCategory == .format
      result.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return result
  }
}
