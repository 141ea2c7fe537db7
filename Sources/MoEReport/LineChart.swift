/// Lines over an axis, with bands of uncertainty or of what others reached, as an SVG drawing.
///
/// Every point says its figures when pointed at; lines are labelled at their ends, differ in dashes
/// as well as in colour, and the drawing describes itself to those who cannot see it.
struct LineChart {
  struct Point {
    var x: Double
    var y: Double
    /// What the point says when pointed at.
    var note = ""
  }

  struct Line {
    var name: String
    /// Which of the palette's colours; 0 is the line that matters most.
    var colour: Int
    var points: [Point]
    /// A landmark, in grey and without marks.
    var isFaint = false
    var isDashed = false
    /// Marks alone.
    var hasNoLine = false
  }

  /// What lies between two lines.
  struct Band {
    var name: String
    /// Nil: grey.
    var colour: Int?
    var points: [(x: Double, low: Double, high: Double)]
  }

  let title: String
  let x: ChartAxis
  let y: ChartAxis
  var bands: [Band] = []
  var lines: [Line]
  /// A second row of labels under the axis.
  var secondTicks: [ChartAxis.Tick] = []
  var secondTitle = ""

  var markup: Markup {
    let plot = ChartPlot(x: x, y: y, hasSecondRow: !secondTicks.isEmpty)
    var parts = [plot.grid]
    if !secondTicks.isEmpty { parts.append(plot.secondRow(secondTicks, title: secondTitle)) }
    for band in bands where !band.points.isEmpty { parts.append(shape(band, plot)) }
    for line in lines.filter(\.isFaint) + lines.filter({ !$0.isFaint }) {
      parts.append(shape(line, plot))
    }
    parts.append(labels(plot))
    return plot.drawing(title, parts)
  }

  private func shape(_ band: Band, _ plot: ChartPlot) -> Markup {
    let colour = band.colour.map { "c\($0 % ChartPlot.colourCount)" } ?? "grey"
    let upper = band.points.map { plot.place($0.x, $0.high) }
    let lower = band.points.reversed().map { plot.place($0.x, $0.low) }
    if band.points.count == 1, let point = band.points.first {
      let (top, bottom) = (plot.place(point.x, point.high), plot.place(point.x, point.low))
      return .element(
        "path", ["class": "whisker \(colour)", "d": "M\(top)L\(bottom)"],
        [.element("title", text: band.name)])
    }
    return .element(
      "polygon", ["class": "band \(colour)", "points": (upper + lower).joined(separator: " ")],
      [.element("title", text: band.name)])
  }

  private func shape(_ line: Line, _ plot: ChartPlot) -> Markup {
    let colour = line.isFaint ? "grey" : "c\(line.colour % ChartPlot.colourCount)"
    let dashes = line.isDashed ? " dashed" : line.isFaint ? " faint" : ""
    var parts: [Markup] = []
    if line.points.count > 1 && !line.hasNoLine {
      parts.append(
        .element(
          "polyline",
          [
            "class": "line \(colour)\(dashes)",
            "points": line.points.map { plot.place($0.x, $0.y) }.joined(separator: " "),
          ], [.element("title", text: line.name)]))
    }
    if !line.isFaint || line.points.count == 1 {
      parts += line.points.map { point in
        .element(
          "circle",
          [
            "class": "mark \(colour)", "cx": ChartPlot.number(plot.left(point.x)),
            "cy": ChartPlot.number(plot.top(point.y)), "r": "3.5",
          ], [.element("title", text: line.name + ": " + point.note)])
      }
    }
    return .element("g", [:], parts)
  }

  /// Names at the ends of lines and bands, moved apart where they would overlap.
  private func labels(_ plot: ChartPlot) -> Markup {
    var ends: [(top: Double, mean: Double, name: String, style: String)] = []
    for line in lines {
      guard let last = line.points.last else { continue }
      let mean = line.points.reduce(0) { $0 + plot.top($1.y) } / Double(line.points.count)
      let style = line.isFaint ? "greyText" : "t\(line.colour % ChartPlot.colourCount)"
      ends.append((plot.top(last.y), mean, line.name, style))
    }
    for band in bands where band.colour == nil && band.points.count > 1 {
      guard let last = band.points.last else { continue }
      let top = plot.top((last.low + last.high) / 2)
      ends.append((top, top, band.name, "greyText"))
    }
    // Lines that end near each other are named in the order in which they lie before.
    ends.sort { (Int($0.top / 20), $0.mean) < (Int($1.top / 20), $1.mean) }
    let height = 14.0
    for index in ends.indices.dropFirst() {
      ends[index].top = max(ends[index].top, ends[index - 1].top + height)
    }
    var limit = plot.bottom
    for index in ends.indices.reversed() {
      ends[index].top = min(ends[index].top, limit)
      limit = ends[index].top - height
    }
    return ends.map {
      plot.label(Figures.clipped($0.name, to: 20), style: $0.style, top: $0.top)
    }.joined
  }
}
