import Foundation
import MoETestSupport
import Testing

@Suite struct BenchTests {
  private static let model = TrainedModel.path
  /// The test that each line is about, and what of it is the same on every machine.
  private static let tests = ["pp24", "pp24@d40", "tg8", "tg8@d40"]

  private func run(
    _ arguments: [String], model: String = Self.model
  ) async throws -> Program.Output {
    let output = try await Program(["bench", model] + arguments).end()
    #expect(output.code == 0, "\(output.errors)")
    return output
  }

  private func report(_ scratch: Scratch) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("bench.json")))
        as? [String: Any])
  }

  @Test(arguments: [[], ["--cold"]])
  func measuresEveryTestAtEveryBudgetAndThreadCount(_ mode: [String]) async throws {
    let scratch = try Scratch()
    // A file of its own: the page cache keeps what somebody else reads.
    let model = scratch.url("model.gguf")
    try FileManager.default.copyItem(atPath: Self.model, toPath: model.path)
    let output = try await run(
      [
        "-p", "24", "-n", "8", "-d", "0,40", "-r", "3", "--memory", "none,64M", "-t", "1,2",
        "--csv", scratch.url("bench.csv").path, "--json", scratch.url("bench.json").path,
      ] + mode, model: model.path)
    #expect(output.errors.isEmpty)
    let rows = try #require(try report(scratch)["rows"] as? [[String: Any]])
    #expect(rows.map { $0["test"] as? String } == (0..<4).flatMap { _ in Self.tests })
    let settings = rows.map { "\($0["threads"] ?? "") \($0["budget"] ?? "")" }
    let expected = ["1 none", "1 64M", "2 none", "2 64M"].flatMap { Array(repeating: $0, count: 4) }
    #expect(settings == expected)
    for row in rows {
      #expect(row["cold"] as? Bool == !mode.isEmpty)
      try checkSpeeds(row)
      let (budget, peak) = (row["budget_bytes"] as? Int, row["peak_bytes"] as? Int)
      #expect(try #require(peak) <= #require(budget))
    }
    let lines = output.text.split(separator: "\n")
    #expect(lines.count == rows.count + 1)
    #expect(lines[0].split(separator: " ").suffix(3) == ["MiB", "load", "s"])
    try checkCSV(String(contentsOf: scratch.url("bench.csv"), encoding: .utf8), rows)
  }

  /// Against the definitions, from what each repetition gave.
  private func checkSpeeds(_ row: [String: Any]) throws {
    let samples = try #require(row["samples"] as? [Double])
    #expect(samples.count == 3 && samples.allSatisfy { $0 > 0 && $0.isFinite })
    func value(_ name: String) throws -> Double { try #require(row[name] as? Double) }
    #expect(try value("median") == samples.sorted()[1])
    #expect(try value("min") == samples.min())
    #expect(try value("max") == samples.max())
    let mean = samples.reduce(0, +) / 3
    #expect(abs(try value("mean") / mean - 1) < 1e-9)
    let variance = samples.reduce(0) { $0 + pow($1 - mean, 2) } / 2
    #expect(abs(try value("deviation") - variance.squareRoot()) <= 1e-6 * mean)
    #expect((0...1).contains(try value("hit_rate")))
    #expect((0...1).contains(try value("stall_share")))
    #expect(try value("load_seconds") > 0)
  }

  /// A value of a line of the table of values is that of JSON under the same name.
  private func checkCSV(_ text: String, _ rows: [[String: Any]]) throws {
    let lines = text.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    let names = try #require(lines.first)
    #expect(lines.count == rows.count + 1)
    #expect(Set(names) == Set(rows[0].keys).subtracting(["samples"]))
    for (line, row) in zip(lines.dropFirst(), rows) {
      for (name, cell) in zip(names, line) {
        let value = try #require(row[name])
        if let number = Double(cell), let expected = value as? Double {
          // The parser of JSON may be one unit in the last place off.
          #expect(abs(number - expected) <= 1e-14 * abs(expected), "\(name)")
        } else {
          #expect(cell == "\(value)" || name == "cold", "\(name)")
        }
      }
    }
  }

  /// The drawn text and the routing along it are the same wherever experts are, so the requests are
  /// too; the pool decides only what of them hits.
  @Test func aSmallPoolMissesAndAWholeOneDoesNot() async throws {
    let scratch = try Scratch()
    func row(_ arguments: String...) async throws -> [String: Any] {
      _ = try await run(
        ["-p", "0", "-n", "16", "-r", "2", "--json", scratch.url("bench.json").path] + arguments)
      let rows = try #require(try report(scratch)["rows"] as? [[String: Any]])
      #expect(rows.count == 1)
      return try #require(rows.first)
    }
    let whole = try await row("--placement", "resident")
    #expect(whole["hit_rate"] as? Double == 1)
    #expect(whole["read_bytes_per_token"] as? Double == 0)
    let small = try await row("--placement", "offloaded", "--expert-pool", "30%")
    let hitRate = try #require(small["hit_rate"] as? Double)
    #expect(hitRate > 0 && hitRate < 1)
    #expect(try #require(small["read_bytes_per_token"] as? Double) > 0)
    let again = try await row("--placement", "offloaded", "--expert-pool", "30%")
    #expect(again["hit_rate"] as? Double == hitRate, "the same seed gives the same texts")
    // One other text may need as many reads by chance.
    var others: Set<Double> = []
    for seed in ["9", "10", "11"] {
      let other = try await row("--placement", "offloaded", "--expert-pool", "30%", "--seed", seed)
      others.insert(try #require(other["read_bytes_per_token"] as? Double))
    }
    #expect(others != [try #require(small["read_bytes_per_token"] as? Double)])
  }

  @Test func readsThePromptsFromAFileAndRepeatsAShortOne() async throws {
    let scratch = try Scratch()
    let file = try scratch.write(Data("Once upon a time".utf8), to: "prompt.txt")
    _ = try await run(
      ["-f", file, "-p", "50", "-n", "0", "-r", "1", "--json", scratch.url("bench.json").path])
    let report = try report(scratch)
    #expect(report["prompt"] as? String == "file")
    let rows = try #require(report["rows"] as? [[String: Any]])
    #expect(rows.map { $0["tokens"] as? Int } == [50])
  }

  @Test func flagsMayBeRepeatedAndTheDefaultsAreWhatHelpSays() async throws {
    let output = try await run(["-p", "8", "-p", "16,24", "-n", "4", "-r", "1"])
    let tests = output.text.split(separator: "\n").dropFirst().map { $0.split(separator: " ")[4] }
    #expect(tests == ["pp8", "pp16", "pp24", "tg4"])
    let standard = try await run(["-r", "1"])
    #expect(standard.text.contains(" pp512 ") && standard.text.contains(" tg64 "))
  }
}
