import MoEAnalysis

/// Routing consistency: SRP by segment length, by layer, and SCH by pool.
enum ConsistencySection {
  static func markup(_ document: ReportDocument) -> Markup {
    let sides = Array(zip(document.reports, document.names))
    var content = sides.map { side, name in
      ReportParts.paragraph(
        ReportSentences.consistency(side.routing.consistency, name: name))
    }
    content += [
      chart(document).markup,
      ReportParts.caption(
        "How to read it: segment routing best performance (SRP) is the F1 score of the best router "
          + "that decides once for a whole segment. 1 means that experts never change within a "
          + "segment. Shaded about the line: where 95 % of drawings of the sequences fall. Grey: "
          + "the span of published decoders, and some of them by name "
          + "(\(PublishedConsistency.source))."
      ),
    ]
    content += sides.map { side, name in
      table(side.routing.consistency).details("Figures of SRP, \(name)")
    }
    if sides.contains(where: { $0.0.routing.source.layers.count > 1 }) {
      content += [
        layerChart(document).markup,
        ReportParts.caption(
          "How to read it: SRP of segments of 16 tokens by layer. A low bar is a layer whose "
            + "experts change from token to token: there a pool helps least."),
      ]
    }
    return ReportParts.section("consistency", "Routing consistency", content)
  }

  private static func chart(_ document: ReportDocument) -> LineChart {
    var (lines, bands): ([LineChart.Line], [LineChart.Band]) = ([], [])
    var lengths: Set<Double> = []
    for (index, (side, name)) in zip(document.reports, document.labels).enumerated() {
      let report = side.routing.consistency
      lengths.formUnion(report.points.map { Double($0.segmentLength) })
      lines.append(
        LineChart.Line(
          name: name, colour: index,
          points: report.points.map {
            LineChart.Point(
              x: Double($0.segmentLength), y: $0.performance.value,
              note: "\($0.segmentLength) tokens, SRP \(Decimals.text($0.performance.value, 3))"
                + ReportSentences.interval($0.performance))
          }))
      bands.append(
        LineChart.Band(
          name: "95 % interval of \(name)", colour: index,
          points: report.points.compactMap { point in
            guard let low = point.performance.low, let high = point.performance.high else {
              return nil
            }
            return (Double(point.segmentLength), low, high)
          }))
    }
    let published = PublishedConsistency.segmentLengths.compactMap { length in
      PublishedConsistency.band(segmentLength: length).map {
        (x: Double(length), low: $0.lowerBound, high: $0.upperBound)
      }
    }
    bands.insert(
      LineChart.Band(name: "published decoders", colour: nil, points: published), at: 0)
    lengths.formUnion(published.map(\.x))
    lines += (document.reports.first?.routing.consistency.references ?? []).map { reference in
      LineChart.Line(
        name: reference.model, colour: 0,
        points: zip(PublishedConsistency.segmentLengths, reference.performances).map {
          LineChart.Point(x: Double($0), y: $1)
        }, isFaint: true)
    }
    return LineChart(
      title: "Segment routing best performance by segment length",
      x: .logarithmic("tokens of a segment", lengths.sorted()),
      y: .fromZero("SRP", to: 1), bands: bands, lines: lines)
  }

  private static func table(_ report: ConsistencyReport) -> ReportTable {
    ReportTable(
      head: [
        "segment", "SRP", "95 % interval", "router size", "sequences", "published least",
        "published most",
      ],
      rows: report.points.map { point in
        let interval = ReportSentences.interval(point.performance)
        return [
          "\(point.segmentLength) tokens", Decimals.text(point.performance.value, 4),
          interval.isEmpty ? "one sequence" : String(interval.dropFirst(2)),
          Decimals.text(point.relativeSize, 2), "\(point.sequences)",
          point.publishedLeast.map { Decimals.text($0, 4) } ?? "",
          point.publishedMost.map { Decimals.text($0, 4) } ?? "",
        ]
      })
  }

  private static func layerChart(_ document: ReportDocument) -> BarChart {
    let layers = document.reports.map(\.routing.source.layers).max { $0.count < $1.count } ?? []
    let series = zip(document.reports, document.labels).enumerated().map { index, entry in
      let points = entry.0.routing.consistency.points
      let point = points.first { $0.segmentLength == 16 } ?? points.last
      return BarChart.Series(name: entry.1, colour: index, values: point?.layers ?? [])
    }
    return BarChart(
      title: "Segment routing best performance by layer", categories: layers.map(String.init),
      categoryTitle: "layer", y: .fromZero("SRP", to: 1), series: series
    ) { "SRP " + Decimals.text($0, 3) }
  }
}
