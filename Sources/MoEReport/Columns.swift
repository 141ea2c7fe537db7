/// Rows of cells as lines of text with aligned columns.
package enum Columns {
  /// - Parameters:
  ///   - rows: Cells; all rows have the same count of them.
  ///   - right: Indices of the columns that are aligned to the right.
  package static func text(_ rows: [[String]], right: Set<Int> = []) -> String {
    var widths: [Int] = []
    for row in rows {
      for (index, cell) in row.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], cell.count)
      }
    }
    return rows.map { row in
      var line = " "
      // Nothing after the last cell that has text: no line ends in spaces.
      let end = (row.lastIndex { !$0.isEmpty } ?? 0) + 1
      for (index, cell) in row.prefix(end).enumerated() {
        let padding = String(repeating: " ", count: widths[index] - cell.count)
        if right.contains(index) {
          line += " " + padding + cell
        } else {
          line += " " + cell + (index + 1 < end ? padding : "")
        }
      }
      return line + "\n"
    }.joined()
  }
}
