import Foundation
import MoETestSupport
import Testing

@Suite struct UsageTests {
  private static let model = TrainedModel.path

  @Test func helpListsEverySubcommand() async throws {
    let output = try await Program.run("--help")
    #expect(output.code == 0)
    #expect(output.errors.isEmpty)
    let list = output.text.split(separator: "SUBCOMMANDS:").last ?? ""
    let names = list.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first }.filter { $0 != "See" }
    var wanted: [Substring] = [
      "generate", "plan", "inspect", "perplexity", "tokenize", "bench", "trace", "report",
      "policies", "frontier", "pack", "bundle", "chat",
    ]
    #if Server
      wanted += ["serve", "batch"]
    #endif
    #if TLS
      wanted.append("pull")
    #endif
    #expect(names == wanted)
  }

  @Test(arguments: [
    "generate", "plan", "inspect", "perplexity", "tokenize", "bench", "frontier", "pack", "chat",
  ])
  func everySubcommandExplainsItself(_ name: String) async throws {
    let output = try await Program.run(name, "--help")
    #expect(output.code == 0)
    #expect(output.text.contains("USAGE: moe-run \(name)"))
    #expect(output.text.contains("--model"))
    let subcommand = try await Program.run("help", name)
    #expect(subcommand.text == output.text)
  }

  @Test func helpNamesDefaults() async throws {
    let text = try await Program.run("generate", "--help").text
      .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for (flag, value) in [
      ("--predict", "256"), ("--temp", "0.8"), ("--top-k", "40"), ("--top-p", "0.95"),
      ("--min-p", "0.05"), ("--repeat-penalty", "1.0"), ("--repeat-last-n", "64"),
      ("--seed", "-1"), ("--placement", "auto"), ("--store", "auto"), ("--io-depth", "32"),
      ("--kv-type", "f16"),
    ] {
      let help = try #require(text.split(separator: "\(flag) <").last, "\(flag)")
      let own = help.split(separator: " --").first ?? ""
      #expect(own.contains("default: \(value))"), "\(flag)")
    }
  }

  /// Arguments, exit code, and what the sentence must name. `MODEL` stands for the model, `TRACE`
  /// for a trace of it.
  static let wrong: [([String], Int32, [String])] = [
    (["--nonsense"], 64, ["--nonsense"]),
    (["-p", "x"], 64, ["give a model"]),
    (["a.gguf", "b.gguf", "-p", "x"], 64, ["b.gguf"]),
    (["MODEL", "-m", "MODEL", "-p", "x"], 64, ["one model"]),
    (["MODEL"], 64, ["standard input is empty"]),
    (["MODEL", "-p"], 64, ["-p"]),
    (["MODEL", "-p", "x", "-f", "y"], 64, ["-p", "-f"]),
    (["MODEL", "-p", "x", "--temp", "nan"], 64, ["--temp", "nan", "from 0"]),
    (["MODEL", "-p", "x", "--temp", "-1"], 64, ["--temp", "-1", "from 0"]),
    (["MODEL", "-p", "x", "--temp", "inf"], 64, ["--temp", "inf"]),
    (["MODEL", "-p", "x", "--temp", "hot"], 64, ["--temp", "hot"]),
    (["MODEL", "-p", "x", "--top-k", "-1"], 64, ["--top-k", "-1"]),
    (["MODEL", "-p", "x", "--top-p", "1.5"], 64, ["--top-p", "1.5", "from 0 to 1"]),
    (["MODEL", "-p", "x", "--min-p", "-0.1"], 64, ["--min-p", "-0.1"]),
    (["MODEL", "-p", "x", "--repeat-penalty", "0"], 64, ["--repeat-penalty", "above 0"]),
    (["MODEL", "-p", "x", "--repeat-last-n", "-2"], 64, ["--repeat-last-n", "-2"]),
    (["MODEL", "-p", "x", "--seed", "-2"], 64, ["--seed", "-2"]),
    (["MODEL", "-p", "x", "-n", "-2"], 64, ["-n", "-2"]),
    (["MODEL", "-p", "x", "-n", "99999999999999999999"], 64, ["-n"]),
    (["MODEL", "-p", "x", "-c", "none"], 64, ["-c", "none"]),
    (["perplexity", "MODEL", "-c", "1"], 64, ["-c", "1"]),
    (["MODEL", "-p", "x", "-t", "0"], 64, ["-t", "0"]),
    (["MODEL", "-p", "x", "--chunk", "0"], 64, ["--chunk", "0"]),
    (["MODEL", "-p", "x", "--io-depth", "5000"], 64, ["--io-depth", "1024"]),
    (["MODEL", "-p", "x", "--memory", "much"], 64, ["--memory", "much", "8G"]),
    (["MODEL", "-p", "x", "--memory", "0"], 64, ["--memory", "0"]),
    (["MODEL", "-p", "x", "--expert-pool", "-5%"], 64, ["--expert-pool"]),
    (["MODEL", "-p", "x", "--store", "tape"], 64, ["--store", "tape", "pread"]),
    (["MODEL", "-p", "x", "--cache-policy", "magic"], 64, ["--cache-policy", "lru"]),
    (["MODEL", "-p", "x", "--kv-type", "q1"], 64, ["--kv-type", "f16"]),
    (["MODEL", "-p", "x", "--placement", "moon"], 64, ["--placement", "resident"]),
    (["MODEL", "-p", "x", "--stats-json", ""], 64, ["--stats-json"]),
    (["plan"], 64, ["give a model"]),
    (["plan", "MODEL", "-p", "x"], 64, ["-p"]),
    (["plan", "MODEL", "--probe", "often"], 64, ["--probe", "fresh"]),
    (["plan", "MODEL", "--hit-rate", "1.5"], 64, ["--hit-rate", "0 to 1"]),
    (["plan", "MODEL", "--hit-rate", "0.5", "--trace", "a.npz"], 64, ["--trace", "--hit-rate"]),
    (["plan", "MODEL", "--hit-rate", "0.5", "--probe", "none"], 64, ["--hit-rate", "none"]),
    (["plan", "MODEL", "--parallel", "--probe", "none"], 64, ["--parallel", "none"]),
    (["plan", "MODEL", "--prompt-tokens", "0"], 64, ["--prompt-tokens", "1"]),
    (["plan", "MODEL", "--prompt-tokens", "2000"], 64, ["--prompt-tokens", "2000", "1024"]),
    (["tokenize", "MODEL", "-p", "x", "--ids", "--json"], 64, ["--ids", "--json"]),
    (["perplexity", "MODEL", "-c", "8", "--stride", "9"], 64, ["--stride", "9", "8"]),
    (["perplexity", "MODEL", "--score", "best"], 64, ["--score", "second-half"]),
    (["MODEL", "-p", "x", "--gating", "top-q:1"], 64, ["--gating", "top-q:1", "give one of off"]),
    (["MODEL", "-p", "x", "--gating", "top-k:0"], 64, ["--gating", "top-k:0", "from 1"]),
    (["MODEL", "-p", "x", "--gating", "top-k:9"], 1, ["top-k:9", "takes 4 experts"]),
    (["MODEL", "-p", "x", "--gating", "auto"], 64, ["--gating", "auto:1%"]),
    (["MODEL", "-p", "x", "--gating", "auto:1"], 64, ["--gating", "auto:1%"]),
    (["MODEL", "-p", "x", "--gating", "auto:-1%"], 64, ["--gating", "0% to 1000%"]),
    (["MODEL", "-p", "x", "--calibration", "a.txt"], 64, ["--calibration", "auto"]),
    (
      ["MODEL", "-p", "x", "--gating", "auto:1%", "--calibration", "/nowhere.txt"], 1,
      ["/nowhere.txt"]
    ),
    (["perplexity", "MODEL", "-p", "x", "--gating", "auto:1%"], 64, ["--gating", "give one of"]),
    (["frontier", "MODEL"], 64, ["--text"]),
    (["frontier", "MODEL", "--text", "/nowhere.txt"], 1, ["/nowhere.txt"]),
    (["frontier", "MODEL", "--text", "/dev/null"], 64, ["/dev/null", "0 tokens"]),
    (["frontier", "MODEL", "--text", "/dev/null", "-o", "/tmp"], 1, ["/tmp", "directory"]),
    (["frontier", "MODEL", "--text", "a", "--gating", "top-p:2"], 64, ["--gating", "top-p:2"]),
    (["bench"], 64, ["give a model"]),
    (["bench", "MODEL", "-p", "0", "-n", "0"], 64, ["-p", "-n", "above 0"]),
    (["bench", "MODEL", "-p", "8,x"], 64, ["-p", "8,x", "whole number"]),
    (["bench", "MODEL", "-n", "-1"], 64, ["-n"]),
    (["bench", "MODEL", "-d", "1,"], 64, ["-d", "1,"]),
    (["bench", "MODEL", "-r", "0"], 64, ["-r", "0"]),
    (["bench", "MODEL", "-t", "2,0"], 64, ["-t", "2,0"]),
    (["bench", "MODEL", "--memory", "none,much"], 64, ["--memory", "much", "none"]),
    (["bench", "MODEL", "--csv", ""], 64, ["--csv"]),
    (["bench", "MODEL", "--json", ""], 64, ["--json"]),

    (["/nowhere/a.gguf", "-p", "x"], 1, ["/nowhere/a.gguf", "No such file"]),
    (["/tmp", "-p", "x"], 1, ["/tmp", "a directory"]),
    (["/dev/null", "-p", "x"], 1, ["/dev/null"]),
    (["/proc/self/status", "-p", "x"], 1, ["/proc/self/status"]),
    (["MODEL", "-f", "/nowhere.txt"], 1, ["/nowhere.txt"]),
    (["MODEL", "-f", "/tmp"], 1, ["/tmp", "directory"]),
    (["MODEL", "-p", "x", "-c", "5000"], 1, ["5000", "1024"]),
    (["MODEL", "-p", "one two three four five", "-c", "2"], 1, ["context", "2"]),
    (["MODEL", "-p", "x", "--expert-pool", "1%"], 1, ["--expert-pool", "at least"]),
    (["MODEL", "-p", "x", "--stats-json", "/tmp"], 1, ["/tmp", "directory"]),
    (["MODEL", "-p", "x", "--stats-json", "/nowhere/a.json"], 1, ["/nowhere/a.json"]),
    (["MODEL", "-p", "x", "--timeline", ""], 64, ["--timeline"]),
    (["MODEL", "-p", "x", "--timeline", "/nowhere/a.json"], 1, ["/nowhere/a.json"]),
    (["inspect", "/nowhere/a.gguf"], 1, ["/nowhere/a.gguf"]),
    (["tokenize", "/nowhere/a.gguf", "-p", "x"], 1, ["/nowhere/a.gguf"]),
    (["plan", "/nowhere/a.gguf"], 1, ["/nowhere/a.gguf"]),
    (["plan", "MODEL", "--trace", "/nowhere/a.npz"], 1, ["/nowhere/a.npz", "routing trace"]),
    (["plan", "MODEL", "--trace", "/dev/zero"], 1, ["/dev/zero", "regular file"]),
    (["plan", "MODEL", "--trace", "/proc/self/status"], 1, ["/proc/self/status", "zip"]),
    (["MODEL", "-p", "x", "--trace", ""], 64, ["--trace"]),
    (["MODEL", "-p", "x", "--trace", "/nowhere/a.moetrace"], 1, ["/nowhere/a.moetrace"]),
    (["MODEL", "-p", "x", "--trace", "/tmp"], 1, ["/tmp", "not a regular file"]),
    (["trace", "record", "-o", "x"], 64, ["give a model"]),
    (["trace", "record", "MODEL", "-o", "x"], 64, ["--text"]),
    (["trace", "record", "MODEL", "--text", "/nowhere.txt"], 64, ["-o"]),
    (["trace", "record", "MODEL", "--text", "/nowhere.txt", "-o", "x"], 1, ["/nowhere.txt"]),
    (["trace", "record", "MODEL", "--text", "/dev/null", "-o", ""], 64, ["-o"]),
    (
      ["trace", "record", "MODEL", "--text", "/dev/null", "-o", "/nowhere/a"], 1,
      ["/nowhere/a", "No such file"]
    ),
    (["trace", "record", "MODEL", "--text", "/dev/null", "-o", "/tmp/moe-no"], 1, ["0 tokens"]),
    (
      ["trace", "record", "MODEL", "--text", "x", "-o", "x", "--sequence-length", "0"], 64,
      ["--sequence-length", "0"]
    ),
    (["trace", "info"], 64, ["trace"]),
    (["trace", "info", "/nowhere/a.moetrace"], 1, ["/nowhere/a.moetrace", "No such file"]),
    (["trace", "info", "MODEL"], 1, ["neither"]),
    (["trace", "stats", "/dev/zero"], 1, ["/dev/zero", "regular file"]),
    (["trace", "stats", "TRACE", "--capacity", "3"], 64, ["--capacity", "3", "4"]),
    (["trace", "stats", "TRACE", "--lags", "0"], 64, ["--lags", "0"]),
    (["trace", "convert", "TRACE", "x.txt"], 64, ["x.txt", ".npz"]),
    (["trace", "convert", "TRACE", "/nowhere/a.npz"], 1, ["/nowhere/a.npz"]),
    (["policies"], 64, ["<trace>"]),
    (["policies", "a.npz", "--pools", "1,x"], 64, ["--pools", "1,x"]),
    (["policies", "a.npz", "--pools", "0.5"], 64, ["--pools", "from 1"]),
    (["policies", "a.npz", "--only", "lru,magic"], 64, ["--only", "lfu"]),
    (["policies", "a.npz", "--floor-share", "2"], 64, ["--floor-share", "0 to 1"]),
    (["policies", "/nowhere/a.npz"], 1, ["/nowhere/a.npz", "routing trace"]),
    (["policies", "/dev/zero"], 1, ["/dev/zero", "regular file"]),
    (["policies", "/proc/self/fd"], 1, ["/proc/self/fd", "no routing trace"]),
    (["perplexity", "/nowhere/a.gguf", "-p", "x"], 1, ["/nowhere/a.gguf"]),
    (["bench", "/nowhere/a.gguf"], 1, ["/nowhere/a.gguf", "No such file"]),
    (["bench", "MODEL", "-d", "4096"], 1, ["context", "1024"]),
    (["bench", "MODEL", "-f", "/nowhere.txt"], 1, ["/nowhere.txt"]),
    (["bench", "MODEL", "--json", "/nowhere/a.json"], 1, ["/nowhere/a.json"]),
  ]

  @Test(arguments: wrong)
  func refusesInOneSentence(
    _ arguments: [String], _ code: Int32, _ named: [String]
  ) async throws {
    let names = ["MODEL": Self.model, "TRACE": TraceTests.committed]
    let output = try await Program(arguments.map { names[$0] ?? $0 }).end()
    #expect(!output.wasKilled)
    #expect(output.code == code, "\(output.errors)")
    #expect(output.text.isEmpty)
    #expect(output.errorLines.count == 1, "\(output.errors)")
    #expect(output.errors.hasPrefix("moe-run: "))
    for name in named { #expect(output.errors.contains(name), "\(output.errors)") }
  }

  @Test func refusesATextThatIsNotUTF8() async throws {
    let scratch = try Scratch()
    let path = try scratch.write(Data([0x4C, 0xFF, 0x0A]), to: "bad.txt")
    let output = try await Program.run(Self.model, "-f", path)
    #expect(output.code == 1)
    #expect(output.errorLines.count == 1)
    #expect(output.errors.contains("UTF-8"))
  }

  @Test func refusesABudgetThatIsTooSmallWithTheTableOfWhoNeedsWhat() async throws {
    let output = try await Program.run(Self.model, "-p", "x", "--memory", "5M")
    #expect(output.code == 1)
    #expect(output.text.isEmpty)
    #expect(output.errors.contains("  KV cache "))
    let last = try #require(output.errorLines.last)
    #expect(last.hasPrefix("moe-run: a memory budget of 5.0 MiB is too small"))
    #expect(last.contains("give at least --memory "))
  }

  @Test func aContextOfZeroIsTheModels() async throws {
    let plan = try await Program.run(
      "plan", Self.model, "--json", "--probe", "none", "-c", "0", "--memory", "256M"
    ).json()
    #expect(plan["context_length"] as? Int == 1024)
    let perplexity = try await Program.run(
      "perplexity", Self.model, "-p", "Once upon a time there was", "-c", "0", "--json"
    ).json()
    #expect(perplexity["window_tokens"] as? Int == 1024)
  }

  @Test func aRefusedBudgetNamesTheFlagsThatHelp() async throws {
    let smallest = try await smallestBudget("-c", "256")
    let refused = try await Program.run(
      "plan", Self.model, "--memory", "\(smallest)M", "-c", "1024", "--kv-type", "f32", "--probe",
      "none")
    #expect(refused.code == 1)
    let last = try #require(refused.errorLines.last)
    let parts = last.split(separator: "give ").last?.components(separatedBy: ", or ") ?? []
    #expect(parts.count >= 2 && parts[0].hasPrefix("at least --memory "), "\(last)")
    #expect(parts[1].hasPrefix("at most -c "), "\(last)")
    let length = try #require(parts[1].split(separator: " ").last.map(String.init))
    let shorter = try await Program.run(
      "plan", Self.model, "--memory", "\(smallest + 2)M", "-c", length, "--kv-type", "f32",
      "--probe", "none")
    #expect(shorter.code == 0, "\(shorter.errors)")
  }

  private func smallestBudget(_ arguments: String...) async throws -> Int {
    let plan = try await Program(
      ["plan", Self.model, "--json", "--memory", "5M"] + arguments, input: ""
    ).end().json()
    return ((try #require(plan["smallest_budget_bytes"] as? Int)) >> 20) + 2
  }

  @Test func measuresNothingWhereOneOfTheBudgetsIsTooSmall() async throws {
    let output = try await Program.run("bench", Self.model, "--memory", "none,5M")
    #expect(output.code == 1)
    #expect(output.text.isEmpty)
    #expect(output.errors.contains("a memory budget of 5.0 MiB is too small"))
  }

  @Test func runsInTheSmallestBudgetThatItNames() async throws {
    let plan = try await Program.run("plan", Self.model, "--json", "--memory", "5M").json()
    let smallest = try #require(plan["smallest_budget_bytes"] as? Int)
    // What a process costs before it loads anything varies a little from run to run.
    let budget = "\((smallest >> 20) + 2)M"
    let scratch = try Scratch()
    let output = try await Program.run(
      Self.model, "-p", "Once upon a time", "-n", "8", "--memory", budget, "--stats-json",
      scratch.url("s.json").path)
    #expect(output.code == 0, "\(output.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("s.json")))
        as? [String: Any])
    #expect(report["fits_budget"] as? Bool == true, "\(report)")
  }
}
