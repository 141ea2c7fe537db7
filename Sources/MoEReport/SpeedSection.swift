import MoEAnalysis

/// How fast which memory is on which disk: the table, and the same as lines.
enum SpeedSection {
  static func markup(_ document: ReportDocument) -> Markup {
    guard document.reports.contains(where: { $0.speed != nil }) else { return .empty }
    return ReportParts.section(
      "speed", "What memory and disk give",
      [
        ReportParts.sides(document) { side, name in
          guard let speed = side.speed else {
            return [ReportParts.paragraph("No model was given for \(name).")]
          }
          return block(speed, name: name)
        }
      ])
  }

  private static func block(_ report: SpeedReport, name: String) -> [Markup] {
    let speed = report.shown
    guard !speed.rows.isEmpty else {
      return [ReportParts.paragraph("None of the memories that were asked for is large enough.")]
    }
    let blocks: [Markup] = [
      .element("p", ["class": "caption top"], text: tableCaption(speed)),
      table(speed).markup,
    ]
    let hasPoints = !speed.disks.isEmpty || speed.rows.contains { $0.measured != nil }
    guard hasPoints else { return blocks }
    return blocks + [
      chart(speed, name: name).markup,
      ReportParts.caption(
        "How to read it: further right is more memory, higher is faster. Where a line is flat the "
          + "disk no longer matters. The dots are the rows of the table."),
    ]
  }

  static func table(_ speed: SpeedReport) -> ReportTable {
    let hasMeasured = speed.rows.contains { $0.measured != nil }
    var head = [speed.basis == .model ? "memory" : "pool", "experts in it", "hit rate"]
    head += ["read per token"] + speed.disks.map(diskName)
    if hasMeasured { head.append("measured here") }
    let hasError = hasMeasured && speed.predictionHolds
    if hasError { head.append("error") }
    let rows = speed.rows.map { row in
      var cells = [
        Figures.bytes(row.memoryBytes ?? row.poolBytes),
        row.isResident ? "all" : Figures.percent(row.poolShare), Figures.percent(row.hitRate),
        Figures.bytes(row.readBytesPerToken),
      ]
      cells += row.tokensPerSecond.map(Figures.speed)
      if hasMeasured {
        cells.append(row.measured.map { Figures.short($0.tokensPerSecond) } ?? "not measured")
      }
      if hasError { cells.append(error(row)) }
      return cells
    }
    return ReportTable(head: head, rows: rows)
  }

  /// Predicted less measured over measured.
  private static func error(_ row: SpeedReport.Row) -> String {
    guard let measured = row.measured?.tokensPerSecond, measured > 0,
      let predicted = row.tokensPerSecond.first ?? nil
    else { return "" }
    let share = (predicted - measured) / measured
    return (share > 0 ? "+" : "") + Figures.percent(share)
  }

  static func diskName(_ disk: SpeedReport.Disk) -> String {
    (disk.isMeasured ? "this disk, " : "") + Figures.rate(disk.bytesPerSecond)
  }

  private static func tableCaption(_ speed: SpeedReport) -> String {
    switch speed.basis {
    case .diskBound:
      return "Tokens per second that the disk alone allows when decoding, at most: "
        + "\(speed.note). Hit rates are those of the policy \(speed.policy) on this trace."
    case .model:
      let place = speed.position.map { " at position \($0)" } ?? ""
      let context = speed.contextLength.map { " of a context of \($0)" } ?? ""
      let measured =
        speed.rows.contains { $0.measured != nil }
        ? " Measured: a text drawn from the model, decoded in that memory on this machine." : ""
      guard speed.predictionHolds else {
        return ReportSentences.noPrediction + " Memory is all that the process takes." + measured
      }
      return "Tokens per second of decoding\(place)\(context), predicted from the machine "
        + "(\(speed.note)) and the hit rate of the policy \(speed.policy) on these texts. "
        + "Memory is "
        + "all that the process takes. Other disks are this machine with another rate." + measured
    }
  }

  private static func chart(_ speed: SpeedReport, name: String) -> LineChart {
    let memories = speed.rows.map { Double($0.memoryBytes ?? $0.poolBytes) }
    let unit = memories.max() ?? 0 >= 4 * 0x1p30 ? (0x1p30, "GiB") : (0x1p20, "MiB")
    var lines: [LineChart.Line] = []
    for (index, disk) in speed.disks.enumerated() {
      let points = zip(memories, speed.rows).compactMap { memory, row in
        row.tokensPerSecond[index].map {
          LineChart.Point(
            x: memory / unit.0, y: $0,
            note: "\(Figures.bytes(memory)), \(Figures.short($0)) tokens/s")
        }
      }
      lines.append(
        LineChart.Line(
          name: diskName(disk), colour: index, points: points, isDashed: !disk.isMeasured))
    }
    let measured = zip(memories, speed.rows).compactMap { memory, row in
      row.measured.map {
        LineChart.Point(
          x: memory / unit.0, y: $0.tokensPerSecond,
          note: "\(Figures.bytes(memory)), \(Figures.short($0.tokensPerSecond)) tokens/s")
      }
    }
    if !measured.isEmpty {
      lines.append(
        LineChart.Line(name: "measured here", colour: 5, points: measured, hasNoLine: true))
    }
    let top = lines.flatMap { $0.points.map(\.y) }.max() ?? 1
    return LineChart(
      title: "Tokens per second by memory, \(name)",
      x: axis(memories.map { $0 / unit.0 }, "memory, \(unit.1)"),
      y: .fromZero("tokens per second", to: top), lines: lines)
  }

  /// From 0 where that leaves most of the drawing to the memories.
  private static func axis(_ memories: [Double], _ title: String) -> ChartAxis {
    let (least, most) = (memories.min() ?? 0, memories.max() ?? 1)
    return least < 0.4 * most ? .fromZero(title, to: most) : .around(title, memories)
  }
}
