import MoEAnalysis

/// The report as a page: one file, without scripts, that needs no network.
package enum ReportPage {
  /// No page is larger: a page is to be sent to people.
  package static let byteCountMax = 3 << 20

  package static func text(_ document: ReportDocument) -> String {
    let title = "Routing report: " + document.names.joined(separator: " and ")
    let sections = [
      comparison(document), SpeedSection.markup(document), ConsistencySection.markup(document),
      HitRateSection.markup(document), SegmentCacheSection.markup(document),
      UseSection.markup(document), ReuseSection.markup(document),
      PredictionSection.markup(document), PromptSection.markup(document),
      FrontierSection.markup(document.frontier), parameters(document), method(document),
    ]
    return Markup.page(
      head: [
        .element("meta", ["charset": "utf-8"]),
        .element(
          "meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        .element("meta", ["name": "color-scheme", "content": "light dark"]),
        .element("title", text: title), .style(ReportStyle.sheet),
      ],
      body: [header(document), .element("main", [:], sections)])
  }

  private static func header(_ document: ReportDocument) -> Markup {
    let answers = zip(document.reports, document.names).map { side, name in
      Markup.element(
        "p", ["class": "answer"], text: ReportSentences.headline(side, name: name))
    }
    return .element(
      "header", [:],
      [
        .element("p", ["class": "kind"], text: "Routing report"),
        .element("h1", text: document.names.joined(separator: " and ")),
      ] + answers + document.reports.map { .element("p", ["class": "source"], text: source($0)) }
        + [contents(document)])
  }

  static func source(_ side: ReportSide) -> String {
    let source = side.routing.source
    let texts = side.routing.use.domains.count + side.routing.use.omittedCount
    return "\(source.name): \(Figures.counted(source.tokens, "token", "tokens")) in "
      + "\(Figures.counted(source.sequences, "sequence", "sequences")) of "
      + "\(Figures.counted(texts, "text", "texts")); \(source.expertsPerToken) of "
      + "\(source.experts) experts in each of "
      + "\(Figures.counted(source.layers.count, "layer", "layers"))."
  }

  private static func contents(_ document: ReportDocument) -> Markup {
    var links = [
      ("consistency", "Consistency"), ("memory", "Hit rate"), ("caching", "Looking ahead"),
      ("use", "Use"), ("reuse", "Reuse"), ("ahead", "Reading ahead"), ("prompt", "Prompts"),
    ]
    if document.reports.contains(where: { $0.speed != nil }) {
      links.insert(("speed", "Speed"), at: 0)
    }
    if document.reports.count > 1 { links.insert(("compared", "Side by side"), at: 0) }
    if document.frontier != nil { links.append(("gating", "Gating")) }
    links.append(("method", "Method"))
    return .element(
      "nav", ["aria-label": "Contents"],
      links.map { .element("a", ["href": "#" + $0], text: $1) })
  }

  private static func comparison(_ document: ReportDocument) -> Markup {
    guard document.reports.count > 1 else { return .empty }
    return ReportParts.section(
      "compared", "Side by side",
      [
        ComparisonTable.table(document).markup,
        ReportParts.caption(
          "Hit rates are of the engine's policy. Speeds are predicted for decoding on the first "
            + "disk of each table below."),
      ])
  }

  private static func parameters(_ document: ReportDocument) -> Markup {
    let known = zip(document.reports, document.names).filter { $0.0.parameters != nil }
    guard !known.isEmpty else { return .empty }
    return ReportParts.section(
      "parameters", "What dense model it is worth",
      known.flatMap { side, name -> [Markup] in
        let text = side.parameters?.text.split(separator: "\n").map {
          $0.drop { $0 == " " }
        }.joined(separator: ". ")
        return [ReportParts.paragraph("\(name): \(text ?? "")")]
      })
  }

  private static func method(_ document: ReportDocument) -> Markup {
    let sampled = zip(document.reports, document.names).map { side, name in
      let replayed = side.routing.hitRates.sampledTokens
      let drawings = side.routing.consistency.resamples
      return "\(name): policies and predictors were replayed over \(replayed) of "
        + "\(side.routing.source.tokens) tokens; intervals are of \(drawings) drawings of whole "
        + "sequences with replacement."
    }
    let speed =
      document.reports.contains { $0.speed?.basis == .model }
      ? [
        "Predicted speeds come from the performance model, which takes a layer as the engine runs "
          + "it: dense part, router, then reads of missed experts while those in memory are "
          + "computed. It knows nothing of other work on the machine, nor of disks that slow down."
      ] : []
    let definitions = [
      "SRP and SCH are those of \"Not All Models Suit Expert Offloading\" (arXiv 2505.16056). The "
        + "optimum is Belady's (1966). What is measured on texts holds for texts like them.",
      "Recorded routing is of texts that were read, not generated; a model's own texts may repeat "
        + "themselves more.",
    ]
    return ReportParts.section(
      "method", "Method and limits",
      [
        .element("ul", [:], (sampled + speed + definitions).map { .element("li", text: $0) })
      ])
  }
}
