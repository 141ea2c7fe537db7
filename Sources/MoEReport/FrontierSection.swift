import MoEAnalysis

/// What dynamic gating costs in quality and saves in reads.
enum FrontierSection {
  static func markup(_ frontier: GatingFrontier?) -> Markup {
    guard let frontier else { return .empty }
    let points = frontier.points.sorted { $0.meanExpertCount < $1.meanExpertCount }
    let chart = LineChart(
      title: "Perplexity by mean experts per token, \(frontier.model)",
      x: .around("experts per token and layer, mean", points.map(\.meanExpertCount)),
      y: .around("perplexity", points.map(\.perplexity)),
      lines: [
        LineChart.Line(
          name: Figures.clipped(frontier.model, to: 20), colour: 0,
          points: points.map {
            LineChart.Point(
              x: $0.meanExpertCount, y: $0.perplexity,
              note: "gating \($0.gating), \(Decimals.text($0.meanExpertCount, 2)) experts, "
                + "perplexity \(Decimals.text($0.perplexity, 3))")
          })
      ])
    let table = ReportTable(
      head: ["gating", "experts per token", "perplexity", "read per token", "tokens/s"],
      rows: frontier.points.map {
        [
          $0.gating, Decimals.text($0.meanExpertCount, 2), Decimals.text($0.perplexity, 3),
          Figures.bytes($0.readBytesPerToken), Figures.short($0.tokensPerSecond),
        ]
      }, emphasised: frontier.points.firstIndex { $0.gating == "off" })
    let texts = frontier.texts.joined(separator: ", ")
    return ReportParts.section(
      "gating", "What fewer experts per token cost",
      [
        chart.markup,
        ReportParts.caption(
          "How to read it: each point is one setting of dynamic gating. Further left computes and "
            + "reads less, lower predicts better. Perplexity of \(frontier.scoredTokenCount) "
            + "tokens (\(texts)); reads and speed with memory for \(frontier.memory)."),
        table.markup,
      ])
  }
}
