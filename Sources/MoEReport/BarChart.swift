/// Bars side by side, in groups of one per series, as an SVG drawing.
struct BarChart {
  struct Series {
    var name: String
    var colour: Int
    /// (category)
    var values: [Double]
  }

  let title: String
  /// Under each group of bars.
  let categories: [String]
  let categoryTitle: String
  let y: ChartAxis
  let series: [Series]
  /// What a value says when pointed at.
  let note: (Double) -> String

  var markup: Markup {
    let count = Double(max(1, categories.count))
    let x = ChartAxis(
      categoryTitle, range: 0...count,
      ticks: categories.enumerated().map {
        ChartAxis.Tick(value: Double($0) + 0.5, label: $1)
      })
    let plot = ChartPlot(x: x, y: y, hasLabels: series.count > 1)
    var parts = [plot.grid]
    let width = 0.8 / Double(max(1, series.count))
    for (number, one) in series.enumerated() {
      for (category, value) in one.values.enumerated() {
        let left = plot.left(Double(category) + 0.1 + Double(number) * width)
        let right = plot.left(Double(category) + 0.1 + Double(number + 1) * width)
        let top = plot.top(value)
        parts.append(
          .element(
            "rect",
            [
              "class": "bar c\(one.colour % ChartPlot.colourCount)",
              "x": ChartPlot.number(left), "width": ChartPlot.number(max(0.5, right - left - 1)),
              "y": ChartPlot.number(top), "height": ChartPlot.number(max(0, plot.bottom - top)),
            ],
            [
              .element(
                "title",
                text: [one.name, categories[category], note(value)].filter { !$0.isEmpty }
                  .joined(separator: ", "))
            ]))
      }
      if series.count > 1 {
        parts.append(
          plot.label(
            Figures.clipped(one.name, to: 20), style: "t\(one.colour % ChartPlot.colourCount)",
            top: 24 + Double(number) * 16))
      }
    }
    return plot.drawing(title, parts)
  }
}
