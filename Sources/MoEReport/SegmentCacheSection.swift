import MoEAnalysis

/// Segment cache best hit rate: what looking ahead buys in a pool of which size.
enum SegmentCacheSection {
  static func markup(_ document: ReportDocument) -> Markup {
    guard document.reports.contains(where: { !$0.routing.segmentCaching.lines.isEmpty }) else {
      return ReportParts.section(
        "caching", "What looking ahead buys",
        [ReportParts.paragraph("There are too many experts to replay them in one pool.")])
    }
    var content = [
      chart(document).markup,
      ReportParts.caption(
        "How to read it: segment cache best hit rate (SCH) is the share of requests found by a "
          + "pool that evicts what is used least in the next tokens. The pool is measured in what "
          + "one token's experts take in all layers (ρ). The optimum sees the whole future, least "
          + "recently used none. Grey strokes: the published decoders with 16 tokens ahead. "
          + "Counted as arXiv 2505.16056 does, from an empty pool in each sequence with first uses "
          + "credited while there is room, so these rates are not those of a run."),
    ]
    content += zip(document.reports, document.names).map { side, name in
      table(side.routing.segmentCaching).details("Figures of SCH, \(name)")
    }
    return ReportParts.section("caching", "What looking ahead buys", content)
  }

  static func title(_ line: SegmentCacheReport.Line) -> String {
    switch (line.segmentLength, line.rule) {
    case (let length?, _): "\(length) tokens ahead"
    case (nil, "belady"): "optimum"
    case (nil, "lru"): "least recently used"
    default: line.rule
    }
  }

  private static func chart(_ document: ReportDocument) -> LineChart {
    var (lines, bands): ([LineChart.Line], [LineChart.Band]) = ([], [])
    let isCompared = document.reports.count > 1
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let report = side.routing.segmentCaching
      for (number, line) in report.lines.enumerated() {
        // Two sides have room for one line each.
        if isCompared && line.segmentLength != 16 { continue }
        let title = isCompared ? name : title(line)
        let colour = isCompared ? index : number
        lines.append(
          LineChart.Line(
            name: title, colour: colour,
            points: zip(report.ratios, line.hitRates).map {
              LineChart.Point(
                x: $0, y: $1.value, note: "ρ \(Figures.plain($0)), \(Figures.percent($1.value))")
            }, isDashed: line.segmentLength == nil))
        guard line.segmentLength == 16 else { continue }
        bands.append(
          LineChart.Band(
            name: "95 % interval of \(title)", colour: colour,
            points: zip(report.ratios, line.hitRates).compactMap { ratio, rate in
              guard let low = rate.low, let high = rate.high else { return nil }
              return (ratio, low, high)
            }))
      }
    }
    let published = document.reports.first?.routing.segmentCaching.published ?? []
    bands += published.map {
      LineChart.Band(
        name: "published decoders at ρ \($0.ratio): \(Figures.percent($0.least)) to "
          + Figures.percent($0.most), colour: nil,
        points: [(Double($0.ratio), $0.least, $0.most)])
    }
    let ratios = Set(document.reports.flatMap(\.routing.segmentCaching.ratios))
    return LineChart(
      title: "Segment cache best hit rate by pool size",
      x: .logarithmic("slots over the experts of one token (ρ)", ratios.sorted()) {
        Figures.plain(($0 * 100).rounded() / 100)
      },
      y: .share("hit rate"), bands: bands, lines: lines)
  }

  private static func table(_ report: SegmentCacheReport) -> ReportTable {
    ReportTable(
      head: ["ρ", "slots"] + report.lines.map(title),
      rows: report.ratios.indices.map { index in
        [Figures.plain(report.ratios[index]), "\(report.slots[index])"]
          + report.lines.map { line in
            line.hitRates.indices.contains(index)
              ? Figures.percent(line.hitRates[index].value) : ""
          }
      })
  }
}
