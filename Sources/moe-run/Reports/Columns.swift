/// Rows of cells as lines of text with aligned columns.
enum Columns {
  /// - Parameters:
  ///   - rows: Cells; all rows have the same count of them.
  ///   - right: Indices of the columns that are aligned to the right.
  static func text(_ rows: [[String]], right: Set<Int> = []) -> String {
    var widths: [Int] = []
    for row in rows {
      for (index, cell) in row.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], cell.count)
      }
    }
    return rows.map { row in
      var line = " "
      for (index, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[index] - cell.count)
        line += " " + (right.contains(index) ? padding + cell : cell + padding)
      }
      return line.trimmingTrailingSpaces() + "\n"
    }.joined()
  }
}

extension String {
  fileprivate func trimmingTrailingSpaces() -> String {
    String(prefix(utf8.count - utf8.reversed().prefix { $0 == UInt8(ascii: " ") }.count))
  }
}
