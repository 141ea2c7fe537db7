import MoEAnalysis

/// After how many tokens experts come again.
enum ReuseSection {
  static func markup(_ document: ReportDocument) -> Markup {
    let sides = Array(zip(document.reports, document.names))
    var content = sides.map {
      ReportParts.paragraph(ReportSentences.reuse($0.routing.reuse, name: $1))
    }
    content += [
      bars(document).markup,
      ReportParts.caption(
        "How to read it: of all uses of an expert, the share that comes so many tokens after its "
          + "last use in the same text; each bar's range is twice the one before. First uses are "
          + "what is missing to 100 %."),
      overlap(document).markup,
      ReportParts.caption(
        "How to read it: how many of a token's experts an earlier token took, too, by the distance "
          + "of the two. Dashed: what two tokens would share if each chose by popularity alone. "
          + "What lies above it is what recency can use."),
    ]
    content += sides.map { side, name in
      let reuse = side.routing.reuse
      return ReportTable(
        head: ["tokens since", "uses", "share"],
        rows: reuse.buckets.map {
          ["up to \($0.last)", "\($0.count)", Figures.percent($0.share)]
        } + [["first use", "", Figures.percent(reuse.firstUseShare)]]
      ).details("Figures of reuse, \(name)")
    }
    return ReportParts.section("reuse", "When experts come again", content)
  }

  private static func bars(_ document: ReportDocument) -> BarChart {
    let longest = document.reports.map(\.routing.reuse.buckets).max { $0.count < $1.count } ?? []
    var first = 1
    let names = longest.map { bucket in
      defer { first = bucket.last + 1 }
      return first == bucket.last ? "\(first)" : "\(first)–\(bucket.last)"
    }
    let series = zip(document.reports, document.labels).enumerated().map { index, entry in
      BarChart.Series(
        name: entry.1, colour: index, values: entry.0.routing.reuse.buckets.map(\.share))
    }
    let top = series.flatMap(\.values).max() ?? 1
    return BarChart(
      title: "Uses of experts by tokens since their last use", categories: names,
      categoryTitle: "tokens since the last use",
      y: .fromZero("share of uses", to: top) { Figures.plain(100 * $0) + " %" },
      series: series, note: Figures.percent)
  }

  private static func overlap(_ document: ReportDocument) -> LineChart {
    var lines: [LineChart.Line] = []
    let lags = document.reports.flatMap { $0.routing.reuse.overlaps.map { Double($0.lag) } }
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let reuse = side.routing.reuse
      lines.append(
        LineChart.Line(
          name: name, colour: index,
          points: reuse.overlaps.map {
            LineChart.Point(
              x: Double($0.lag), y: $0.share,
              note: "\(Figures.counted($0.lag, "token", "tokens")) apart, "
                + Figures.percent($0.share))
          }))
      lines.append(
        LineChart.Line(
          name: document.reports.count > 1 ? "popularity, \(name)" : "popularity alone",
          colour: index,
          points: [lags.min(), lags.max()].compactMap(\.self).map {
            LineChart.Point(
              x: $0, y: reuse.independentOverlap, note: Figures.percent(reuse.independentOverlap))
          }, isDashed: true))
    }
    return LineChart(
      title: "Experts that two tokens share, by their distance",
      x: .logarithmic("tokens between the two", Set(lags).sorted()),
      y: .share("share of experts"), lines: lines)
  }
}

/// What could be named before a layer is reached.
enum PredictionSection {
  static func markup(_ document: ReportDocument) -> Markup {
    let sides = Array(zip(document.reports, document.names))
    var content = sides.map {
      ReportParts.paragraph(ReportSentences.prediction($0.routing.prediction, name: $1))
    }
    if sides.contains(where: { !$0.0.routing.prediction.lines.isEmpty }) {
      content += [
        chart(document).markup,
        ReportParts.caption(
          "How to read it: of the experts that a layer takes, the share that is among so many "
            + "named before the layer was reached, from which experts the token took one or two "
            + "layers earlier and what followed on earlier tokens, or from what this text and "
            + "similar ones used. The most used experts are what a predictor must beat. Reading "
            + "what is named wrongly costs as much as what is right."),
      ]
      content += sides.map { table($0.routing.prediction).details("Figures of prediction, \($1)") }
    }
    return ReportParts.section("ahead", "What could be read ahead", content)
  }

  private static func title(_ line: RecallReport.Line) -> String {
    switch (line.predictor, line.layerDistance) {
    case (.popularity, _): "most used"
    case (.affinity, 1): "one layer ahead"
    case (.affinity, _): "\(line.layerDistance) layers ahead"
    case (.activationMatrix, _): "similar texts"
    }
  }

  private static func chart(_ document: ReportDocument) -> LineChart {
    var lines: [LineChart.Line] = []
    let isCompared = document.reports.count > 1
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let report = side.routing.prediction
      for line in report.lines where !isCompared || line.layerDistance == 1 {
        lines.append(
          LineChart.Line(
            name: isCompared ? "\(title(line)), \(name)" : title(line),
            colour: isCompared ? index : lines.count,
            points: zip(report.counts, line.recalls).map {
              LineChart.Point(
                x: Double($0), y: $1, note: "\($0) experts named, \(Figures.percent($1))")
            }, isDashed: line.predictor == .popularity))
      }
    }
    let most = document.reports.compactMap(\.routing.prediction.counts.last).max() ?? 1
    return LineChart(
      title: "Recall of predictions by experts named",
      x: .fromZero("experts named", to: Double(most)), y: .share("recall"), lines: lines)
  }

  private static func table(_ report: RecallReport) -> ReportTable {
    ReportTable(
      head: ["experts named"] + report.lines.map(title),
      rows: report.counts.indices.map { index in
        ["\(report.counts[index])"] + report.lines.map { Figures.percent($0.recalls[index]) }
      })
  }
}

/// What a prompt has to read.
enum PromptSection {
  static func markup(_ document: ReportDocument) -> Markup {
    var lines: [LineChart.Line] = []
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let chunks = side.routing.prompt.chunks
      lines.append(
        LineChart.Line(
          name: name, colour: index,
          points: chunks.map {
            LineChart.Point(
              x: Double($0.tokens), y: $0.share,
              note: "\(Figures.counted($0.tokens, "token", "tokens")), "
                + "\(Figures.percent($0.share)) of a layer's experts, "
                + "\(Decimals.text($0.readsPerUse, 3)) reads per use")
          }))
      guard index == 0 else { continue }
      lines.append(
        LineChart.Line(
          name: "even choice", colour: 0,
          points: chunks.map {
            LineChart.Point(x: Double($0.tokens), y: $0.evenShare)
          }, isFaint: true))
    }
    let tokens = Set(lines.flatMap { $0.points.map(\.x) }).sorted()
    let chart = LineChart(
      title: "Share of a layer's experts that the tokens of a chunk use",
      x: .logarithmic("tokens of a chunk", tokens), y: .share("experts of a layer"), lines: lines)
    return ReportParts.section(
      "prompt", "What a prompt reads",
      [
        chart.markup,
        ReportParts.caption(
          "How to read it: tokens of a prompt go through a layer together, and each expert they "
            + "need is read once for all of them. Below the grey line of even choice, texts save "
            + "reads by needing the same experts."),
      ])
  }
}
