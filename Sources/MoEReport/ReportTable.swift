/// A table of figures of a page. All cells but those of the first column are numbers.
struct ReportTable {
  let head: [String]
  let rows: [[String]]
  /// A row that stands out.
  var emphasised: Int?
  /// Columns of text, besides the first.
  var textColumns: Set<Int> = []

  var markup: Markup {
    func cell(_ name: StaticString, _ index: Int, _ text: String) -> Markup {
      let style = index == 0 || textColumns.contains(index) ? "text" : "number"
      return .element(name, ["class": style], text: text)
    }
    let header = Markup.element(
      "tr", [:], head.enumerated().map { cell("th", $0, $1) })
    let body: [Markup] = rows.enumerated().map { number, row in
      .element(
        "tr", ["class": number == emphasised ? "strong" : "plain"],
        row.enumerated().map { cell("td", $0, $1) })
    }
    return .element(
      "div", ["class": "scroll"],
      [
        .element(
          "table", [:], [.element("thead", [:], [header]), .element("tbody", [:], body)])
      ])
  }

  /// The figures behind a drawing, to be opened.
  func details(_ title: String) -> Markup {
    .element("details", [:], [.element("summary", text: title), markup])
  }
}

/// Parts of a page that sections share.
enum ReportParts {
  static func section(_ id: String, _ title: String, _ content: [Markup]) -> Markup {
    .element("section", ["id": id], [.element("h2", text: title)] + content)
  }

  static func paragraph(_ text: String) -> Markup { .element("p", text: text) }

  /// How to read what is above it.
  static func caption(_ text: String) -> Markup {
    .element("p", ["class": "caption"], text: text)
  }

  /// One block for each side, beside each other where there is room.
  static func sides(_ document: ReportDocument, _ block: (ReportSide, String) -> [Markup]) -> Markup
  {
    let blocks = zip(document.reports, document.names).map { side, name in
      Markup.element(
        "div", ["class": "side"],
        (document.reports.count > 1 ? [.element("h3", text: name)] : []) + block(side, name))
    }
    return blocks.joined
  }
}
