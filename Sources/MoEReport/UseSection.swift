import MoEAnalysis

/// Which experts which texts use: a map for each layer.
enum UseSection {
  /// Cells of all maps of a side; of more, layers are left out.
  private static let cellCountMax = 60_000
  /// Cells up to which each says its figure when pointed at.
  private static let notedCellCountMax = 4_000

  static func markup(_ document: ReportDocument) -> Markup {
    ReportParts.section(
      "use", "Who uses which expert",
      [
        ReportParts.sides(document) { block($0.routing, name: $1) },
        HeatMap.legend,
        ReportParts.caption(
          "How to read it: one map for each layer, one row for each text, one cell for each "
            + "expert; of a single text one map with a row for each layer. The more a cell stands "
            + "out from the page, the more of the text's choices its expert gets. Rows that look "
            + "alike need the same experts; a pool warmed by one then serves the other."),
      ])
  }

  private static func block(_ routing: RoutingReport, name: String) -> [Markup] {
    let use = routing.use
    let expertCount = routing.source.experts
    var content = [
      ReportParts.paragraph(
        ReportSentences.use(use, expertCount: expertCount, name: name))
    ]
    let perLayer = max(1, use.domains.count * expertCount)
    let layers = shown(use.layerEntropies.count, most: max(1, cellCountMax / perLayer))
    content += maps(
      routing, layers, name: name, hasNotes: perLayer * layers.count <= notedCellCountMax)
    if layers.count < use.layerEntropies.count {
      content.append(
        ReportParts.caption(
          "\(layers.count) of \(use.layerEntropies.count) layers are drawn, at even distances."))
    }
    if use.omittedCount > 0 {
      content.append(
        ReportParts.caption(
          "\(use.omittedCount) further labels have fewer tokens and are left out."))
    }
    content.append(domains(use).details("Figures of the texts, \(name)"))
    if use.domains.count > 1 {
      content.append(alike(use).details("What two texts have in common, \(name)"))
    }
    return content
  }

  /// One map for each layer with a row for each text; of a single text one map with a row for each
  /// layer.
  private static func maps(
    _ routing: RoutingReport, _ layers: [Int], name: String, hasNotes: Bool
  ) -> [Markup] {
    func row(_ domain: ExpertUseReport.Domain, _ layer: Int, _ name: String) -> HeatMap.Row {
      HeatMap.Row(
        name: name, values: domain.shares[layer].map { $0 * Double(routing.source.experts) })
    }
    let (domains, numbers) = (routing.use.domains, routing.source.layers)
    if domains.count == 1, let domain = domains.first {
      let map = HeatMap(
        title: "Use of experts by layer, \(name)",
        rows: layers.map { row(domain, $0, "layer \(numbers[$0])") }, column: "expert",
        hasNotes: hasNotes)
      return [map.markup]
    }
    return layers.flatMap { layer in
      let map = HeatMap(
        title: "Use of experts in layer \(numbers[layer]), \(name)",
        rows: domains.map { row($0, layer, ReportSentences.domain($0)) }, column: "expert",
        hasNotes: hasNotes)
      return [Markup.element("h4", text: "Layer \(numbers[layer])"), map.markup]
    }
  }

  /// Numbers of so many layers, at even distances.
  private static func shown(_ count: Int, most: Int) -> [Int] {
    guard count > most else { return Array(0..<count) }
    return (0..<most).map { $0 * count / most }
  }

  private static func domains(_ use: ExpertUseReport) -> ReportTable {
    ReportTable(
      head: ["text", "tokens", "sequences", "SRP of 16 tokens", "entropy of use"],
      rows: use.domains.map {
        [
          ReportSentences.domain($0), "\($0.tokens)", "\($0.sequences)",
          $0.consistency.map { Decimals.text($0, 3) } ?? "too short",
          Decimals.text($0.normalizedEntropy, 3),
        ]
      })
  }

  private static func alike(_ use: ExpertUseReport) -> ReportTable {
    ReportTable(
      head: ["shared use"] + use.domains.map(ReportSentences.domain),
      rows: zip(use.domains, use.sharedUse).map { domain, shares in
        [ReportSentences.domain(domain)] + shares.map(Figures.percent)
      })
  }
}
