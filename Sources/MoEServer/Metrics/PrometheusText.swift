/// Writes metrics in Prometheus's text format, version 0.0.4.
struct PrometheusText {
  private(set) var text = ""

  private mutating func begin(_ name: String, _ kind: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
  }

  mutating func counter(_ name: String, _ help: String, _ value: Double) {
    begin(name, "counter", help)
    text += "\(name) \(Self.number(value))\n"
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    begin(name, "gauge", help)
    text += "\(name) \(Self.number(value))\n"
  }

  /// - Parameter values: By labels, which need no escaping.
  mutating func counter(
    _ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Int)]
  ) {
    begin(name, "counter", help)
    for (labels, value) in values {
      let list = labels.map { "\($0)=\"\($1)\"" }.joined(separator: ",")
      text += "\(name){\(list)} \(value)\n"
    }
  }

  mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
    begin(name, "histogram", help)
    var sum = 0
    for (bound, count) in zip(histogram.bounds, histogram.counts) {
      sum += count
      text += "\(name)_bucket{le=\"\(Self.number(bound))\"} \(sum)\n"
    }
    text += "\(name)_bucket{le=\"+Inf\"} \(histogram.count)\n"
    text += "\(name)_sum \(Self.number(histogram.sum))\n\(name)_count \(histogram.count)\n"
  }

  private static func number(_ value: Double) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
