import MoEReport
import MoERuntime

/// Rows of `bench` for people, and as comma-separated values.
enum BenchTable {
  /// Aligned columns; speeds in tokens per second.
  static func text(_ rows: [BenchRow]) -> String {
    let heading = [
      "model", "MiB", "threads", "budget", "test", "t/s", "min", "max", "mean", "±", "hit %",
      "MiB/token", "stall %", "peak MiB", "load s",
    ]
    let cells = rows.map { row in
      [
        name(row.model), mebibytes(Double(row.modelBytes), 1), "\(row.threads)", row.budget,
        row.test, Decimals.text(row.median, 2), Decimals.text(row.min, 2),
        Decimals.text(row.max, 2), Decimals.text(row.mean, 2), Decimals.text(row.deviation, 2),
        Decimals.text(100 * row.hitRate, 1), mebibytes(row.readBytesPerToken, 2),
        Decimals.text(100 * row.stallShare, 1),
        row.peakBytes.map { mebibytes(Double($0), 1) } ?? "-", Decimals.text(row.loadSeconds, 2),
      ]
    }
    var table = [heading] + cells
    if rows.contains(where: { $0.expertsPerToken != nil }) {
      let counts = rows.map { $0.expertsPerToken.map { Decimals.text($0, 2) } ?? "-" }
      for (index, cell) in (["experts/token"] + counts).enumerated() { table[index].append(cell) }
    }
    let right = Set(table[0].indices).subtracting([0, 3, 4])
    return Columns.text(table, right: right)
  }

  /// One line per row, under the names that the same values have in JSON; an unknown value is
  /// empty, and what each repetition gave is left to JSON.
  static func csv(_ rows: [BenchRow]) -> String {
    let isGated = rows.contains { $0.expertsPerToken != nil }
    let columns = isGated ? columns + [gatedColumn] : columns
    let lines = rows.map { row in
      columns.map { quoted($0.value(row)) }.joined(separator: ",") + "\n"
    }
    return columns.map(\.name).joined(separator: ",") + "\n" + lines.joined()
  }

  private typealias Column = (name: String, value: @Sendable (BenchRow) -> String)

  /// Only there where a gating was on.
  private static let gatedColumn: Column = (
    "experts_per_token", { row in row.expertsPerToken.map { "\($0)" } ?? "" }
  )

  private static let columns: [Column] = [
    ("model", { $0.model }), ("model_bytes", { "\($0.modelBytes)" }),
    ("architecture", { $0.architecture }), ("threads", { "\($0.threads)" }),
    ("budget", { $0.budget }), ("budget_bytes", { "\($0.budgetBytes)" }),
    ("placement", { $0.placement.rawValue }), ("test", { $0.test }),
    ("phase", { $0.phase.rawValue }), ("tokens", { "\($0.tokens)" }), ("depth", { "\($0.depth)" }),
    ("cold", { "\($0.cold)" }), ("repetitions", { "\($0.repetitions)" }),
    ("median", { "\($0.median)" }), ("min", { "\($0.min)" }), ("max", { "\($0.max)" }),
    ("mean", { "\($0.mean)" }), ("deviation", { "\($0.deviation)" }),
    ("hit_rate", { "\($0.hitRate)" }), ("read_bytes_per_token", { "\($0.readBytesPerToken)" }),
    ("stall_share", { "\($0.stallShare)" }), ("load_seconds", { "\($0.loadSeconds)" }),
    ("peak_bytes", { row in row.peakBytes.map { "\($0)" } ?? "" }),
  ]

  /// A cell in quotes where it would not be one otherwise (RFC 4180).
  private static func quoted(_ cell: String) -> String {
    guard cell.contains(where: { ",\"\r\n".contains($0) }) else { return cell }
    let parts = cell.split(separator: "\"", omittingEmptySubsequences: false)
    return "\"" + parts.joined(separator: "\"\"") + "\""
  }

  private static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  private static func mebibytes(_ byteCount: Double, _ places: Int) -> String {
    Decimals.text(byteCount / 0x1p20, places)
  }
}
