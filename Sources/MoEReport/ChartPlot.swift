/// The frame of a chart: where values lie on the drawing, its grid, axes and labels.
struct ChartPlot {
  static let colourCount = 6
  static let width = 720.0

  let x: ChartAxis
  let y: ChartAxis
  let height: Double
  private let frame: (left: Double, top: Double, right: Double, bottom: Double)

  init(x: ChartAxis, y: ChartAxis, hasSecondRow: Bool = false, hasLabels: Bool = true) {
    self.x = x
    self.y = y
    height = hasSecondRow ? 362 : 330
    frame = (60, 14, Self.width - (hasLabels ? 170 : 14), height - (hasSecondRow ? 82 : 50))
  }

  var bottom: Double { frame.bottom }
  var rightEnd: Double { frame.right }

  func left(_ value: Double) -> Double {
    frame.left + x.position(value) * (frame.right - frame.left)
  }

  func top(_ value: Double) -> Double {
    frame.bottom - y.position(value) * (frame.bottom - frame.top)
  }

  func place(_ x: Double, _ y: Double) -> String {
    Self.number(left(x)) + "," + Self.number(top(y))
  }

  /// A coordinate, to a tenth.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : Decimals.text(Double(tenths) / 10, 1)
  }

  /// Lines at the ticks, their labels, and the axes' titles.
  var grid: Markup {
    var parts: [Markup] = []
    for tick in y.ticks {
      let top = Self.number(self.top(tick.value))
      parts.append(
        .element(
          "line",
          [
            "class": "grid", "x1": Self.number(frame.left), "x2": Self.number(frame.right),
            "y1": top, "y2": top,
          ]))
      parts.append(text(tick.label, frame.left - 8, self.top(tick.value) + 4, anchor: "end"))
    }
    var last = -Double.infinity
    for tick in x.ticks {
      let left = left(tick.value)
      parts.append(
        .element(
          "line",
          [
            "class": "tick", "x1": Self.number(left), "x2": Self.number(left),
            "y1": Self.number(frame.bottom), "y2": Self.number(frame.bottom + 5),
          ]))
      // Labels that would overlap are left out.
      let half = Double(tick.label.count) * 3.5
      guard left - half > last + 4 else { continue }
      last = left + half
      parts.append(text(tick.label, left, frame.bottom + 19, anchor: "middle"))
    }
    parts.append(
      .element(
        "line",
        [
          "class": "axis", "x1": Self.number(frame.left), "x2": Self.number(frame.right),
          "y1": Self.number(frame.bottom), "y2": Self.number(frame.bottom),
        ]))
    parts.append(
      text(x.title, (frame.left + frame.right) / 2, frame.bottom + 38, anchor: "middle", "title"))
    let middle = (frame.top + frame.bottom) / 2
    parts.append(
      .element(
        "text",
        [
          "class": "title", "text-anchor": "middle",
          "transform": "translate(14 \(Self.number(middle))) rotate(-90)",
        ], text: y.title))
    return .element("g", [:], parts)
  }

  /// The same axis in another unit.
  func secondRow(_ ticks: [ChartAxis.Tick], title: String) -> Markup {
    var last = -Double.infinity
    var parts: [Markup] = []
    for tick in ticks {
      let (left, half) = (left(tick.value), Double(tick.label.count) * 3.5)
      guard left - half > last + 4 else { continue }
      last = left + half
      parts.append(text(tick.label, left, frame.bottom + 56, anchor: "middle"))
    }
    parts.append(
      text(title, (frame.left + frame.right) / 2, frame.bottom + 74, anchor: "middle", "title"))
    return .element("g", [:], parts)
  }

  /// A line's name, right of the plot.
  func label(_ name: String, style: String, top: Double) -> Markup {
    text(name, frame.right + 8, top + 4, anchor: "start", "end " + style)
  }

  func text(
    _ text: String, _ left: Double, _ top: Double, anchor: String, _ style: String = "label"
  ) -> Markup {
    .element(
      "text",
      [
        "class": style, "x": Self.number(left), "y": Self.number(top), "text-anchor": anchor,
      ], text: text)
  }

  /// The drawing as a whole, with a name for those who hear it.
  func drawing(_ title: String, _ parts: [Markup]) -> Markup {
    Self.drawing(title, width: Self.width, height: height, parts)
  }

  static func drawing(
    _ title: String, width: Double, height: Double, _ parts: [Markup]
  ) -> Markup {
    .element(
      "div", ["class": "chart"],
      [
        .element(
          "svg",
          [
            "xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": title,
            "viewBox": "0 0 \(number(width)) \(number(height))",
          ], parts)
      ])
  }
}
