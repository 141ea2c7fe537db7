#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Rows of cells in shades, as an SVG drawing: which experts of a layer which texts use.
///
/// Cells of one shade are one path, so that a model of thousands of experts makes a small page; the
/// figures of a small one are shown when pointed at.
struct HeatMap {
  struct Row {
    var name: String
    /// (column): from 0; 1 is even use.
    var values: [Double]
  }

  let title: String
  let rows: [Row]
  /// What a column is called: "expert".
  let column: String
  /// Whether each cell says its figure.
  let hasNotes: Bool

  static let shadeCount = 8
  /// Times even use from which on a cell has the darkest shade.
  static let darkest = 4.0
  private static let labelWidth = 130.0
  private static let rowHeight = 20.0

  /// 0 for no use at all, then by the root of the value: what is used little differs, too.
  static func shade(_ value: Double) -> Int {
    guard value > 0 else { return 0 }
    let share = min(value / darkest, 1).squareRoot()
    return min(shadeCount - 1, 1 + Int(share * Double(shadeCount - 1)))
  }

  var markup: Markup {
    let columnCount = rows.map(\.values.count).max() ?? 0
    let width = (ChartPlot.width - Self.labelWidth - 4) / Double(max(1, columnCount))
    let height = Double(rows.count) * Self.rowHeight + 22
    var parts: [Markup] = []
    var paths = [String](repeating: "", count: Self.shadeCount)
    let cellHeight = ChartPlot.number(Self.rowHeight - 1)
    let gap = width > 6 ? 1.0 : 0
    for (index, row) in rows.enumerated() {
      let top = Double(index) * Self.rowHeight
      parts.append(
        .element(
          "text",
          [
            "class": "label", "x": ChartPlot.number(Self.labelWidth - 8),
            "y": ChartPlot.number(top + 14), "text-anchor": "end",
          ], text: Figures.clipped(row.name, to: 18)))
      for (number, value) in row.values.enumerated() {
        let left = Self.labelWidth + Double(number) * width
        let shade = Self.shade(value)
        let cellWidth = ChartPlot.number(width - gap)
        if hasNotes {
          parts.append(
            .element(
              "rect",
              [
                "class": "h\(shade)", "x": ChartPlot.number(left), "y": ChartPlot.number(top),
                "width": cellWidth, "height": cellHeight,
              ],
              [
                .element(
                  "title",
                  text: "\(row.name), \(column) \(number): \(Decimals.text(value, 2)) × even use")
              ]))
        } else {
          paths[shade] +=
            "M\(ChartPlot.number(left)) \(ChartPlot.number(top))h\(cellWidth)v\(cellHeight)"
            + "h-\(cellWidth)z"
        }
      }
    }
    for (shade, path) in paths.enumerated() where !path.isEmpty {
      parts.append(.element("path", ["class": "h\(shade)", "d": path]))
    }
    parts.append(columnLabels(columnCount, width, top: height - 6))
    return ChartPlot.drawing(title, width: ChartPlot.width, height: height, parts)
  }

  private func columnLabels(_ count: Int, _ width: Double, top: Double) -> Markup {
    let step = [1, 2, 4, 8, 16, 32, 64, 128, 256].first { Double($0) * width >= 34 } ?? count
    return stride(from: 0, to: count, by: max(1, step)).map { number in
      Markup.element(
        "text",
        [
          "class": "label",
          "x": ChartPlot.number(Self.labelWidth + (Double(number) + 0.5) * width),
          "y": ChartPlot.number(top), "text-anchor": "middle",
        ], text: "\(number)")
    }.joined
  }

  /// What the shades mean.
  static var legend: Markup {
    let marks: [Markup] = (0..<shadeCount).map { shade in
      let value =
        shade == 0 ? 0 : darkest * pow(Double(shade - 1) / Double(shadeCount - 1), 2)
      let name = shade == 0 ? "unused" : "from " + Decimals.text(value, 1)
      return Markup.element(
        "span", ["class": "key"],
        [
          Markup.element("i", ["class": "swatch h\(shade)"]),
          Markup.text(shade == 1 ? "used" : name),
        ])
    }
    return .element("p", ["class": "legend"], [.text("Times even use: ")] + marks)
  }
}
