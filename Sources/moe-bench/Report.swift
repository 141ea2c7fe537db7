private import Foundation
private import MoEKernels

func decimal(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}

/// Results as a table for reading and as comma-separated values for keeping.
struct Report {
  /// Gigabytes per second that all threads together read.
  var readRate: Double
  var threadCount: Int
  private(set) var results: [BenchmarkResult] = []

  init(readRate: Double, threadCount: Int) {
    self.readRate = readRate
    self.threadCount = threadCount
  }

  mutating func add(_ result: BenchmarkResult) { results.append(result) }

  static let heading = columns(
    "benchmark", ["median µs", "10% µs", "90% µs", "GB/s", "of read", "Gop/s", "GMAC/s", "goal"])

  func line(_ result: BenchmarkResult) -> String {
    let share = result.gigabytesPerSecond / readRate
    let reads = result.byteCount > 0
    let moves = reads || result.diskByteCount > 0
    return Self.columns(
      result.name,
      [
        decimal(result.median / 1e3, 2), decimal(result.low / 1e3, 2),
        decimal(result.high / 1e3, 2), moves ? rate(result.gigabytesPerSecond) : "",
        reads ? decimal(share * 100, 0) + "%" : "",
        result.operationCount > 0 ? decimal(result.gigaoperationsPerSecond, 2) : "",
        result.multiplyAddCount > 0 ? decimal(result.gigaMultiplyAddsPerSecond, 2) : "",
        result.goal.map { share >= $0 ? "met" : "below " + decimal($0 * 100, 0) + "%" } ?? "",
      ])
  }

  /// Text is encoded at some megabytes per second.
  private func rate(_ gigabytesPerSecond: Double) -> String {
    decimal(gigabytesPerSecond, gigabytesPerSecond < 0.1 ? 4 : 2)
  }

  private static func columns(_ name: String, _ values: [String]) -> String {
    let widths = [11, 11, 11, 8, 8, 9, 9, 11]
    return zip(values, widths).reduce(name.padded(to: 44)) { line, cell in
      line + String(repeating: " ", count: max(1, cell.1 - cell.0.count)) + cell.0
    }
  }

  /// One line per result; times in nanoseconds, rates in 10⁹ per second.
  var csv: String {
    let machine = "\(Self.date),\(Self.processor),\(InstructionSet.current.name),\(threadCount)"
    let heading =
      "date,processor,instruction_set,threads,read_rate,benchmark,runs,median_ns,low_ns,high_ns,"
      + "mean_ns,bytes,disk_bytes,operations\n"
    return results.reduce(heading) { text, result in
      text + "\(machine),\(decimal(readRate, 3)),\(result.name),\(result.runCount),"
        + "\(decimal(result.median, 1)),\(decimal(result.low, 1)),\(decimal(result.high, 1)),"
        + "\(decimal(result.mean, 1)),"
        + "\(result.byteCount),\(result.diskByteCount),\(result.operationCount)\n"
    }
  }

  private static var date: String {
    Date.now.formatted(.iso8601.year().month().day())
  }

  /// The processor's name without commas, or the architecture where the system does not tell.
  private static var processor: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":").last ?? "unknown"
    return name.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: ",", with: " ")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
