internal import ArgumentParser
private import Foundation
private import MoECore
private import MoEKernels

/// Measures parts of the runtime, and writes models to measure all of it with.
@main struct MoEBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moe-bench",
    abstract: "Times the runtime's parts, and writes models of any shape.",
    subcommands: [TimeParts.self, Synthesize.self], defaultSubcommand: TimeParts.self)
}

/// Times the kernels on this machine, against the rate at which it can read memory at all, and
/// reads from its disk.
struct TimeParts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "time",
    abstract: "Times the kernels, each against the machine's memory bandwidth, and reads.",
    discussion: """
      Every benchmark checks its result before it is timed. The median of the runs is given, with \
      the range that holds the middle 80% of them. "Of read" is a kernel's share of the rate at \
      which the machine reads memory; a multiply-add (MAC) counts as two operations. With --file \
      it also reads from that file, at random places and past the page cache, as the engine reads \
      experts; with --tokenizer and --texts it also encodes those texts.
      """)

  @Option(help: "Run only benchmarks whose name contains this text.")
  var filter = ""

  @Option(help: "Seconds to spend on each benchmark.")
  var seconds = 0.5

  @Option(help: "Threads that compute; all processors if not given.")
  var threads: Int?

  @Option(help: "Also write the results to this file, as comma-separated values.")
  var csv: String?

  @Option(help: "Also time direct reads from this file, best one larger than memory.")
  var file: String?

  @Option(help: "Bytes of each read, a multiple of 4096; several separated by commas.")
  var readSizes = "128K,1228K,4M"

  @Option(help: "Reads under way at once.")
  var depth = 8

  @Option(help: "Which places of the file are read; give another one for every run.")
  var seed: UInt64 = 1

  @Option(help: "Also time the tokenizer of this model file.")
  var tokenizer: String?

  @Option(help: "Text files for the tokenizer, separated by commas.")
  var texts = ""

  @Flag(help: "Use tiny sizes: checks that everything works, and says nothing about speed.")
  var toy = false

  @Flag(help: "Print the names of the benchmarks and stop.")
  var list = false

  func validate() throws {
    guard seconds.isFinite, seconds >= 0, seconds <= 3600 else {
      throw ValidationError("--seconds is \(seconds); give a number from 0 to 3600")
    }
    if let threads, !(1...WorkerTeam.workerCountMax).contains(threads) {
      throw ValidationError("--threads is \(threads); give 1 to \(WorkerTeam.workerCountMax)")
    }
    guard (1...256).contains(depth) else {
      throw ValidationError("--depth is \(depth); give 1 to 256")
    }
    _ = try readSettings()
  }

  /// What `--file` asks for; nil without it.
  private func readSettings() throws -> ReadBenchmark.Settings? {
    let byteCounts = try readSizes.split(separator: ",").map { text in
      guard let size = ByteSize(parsing: String(text)), (4096...1 << 28).contains(size.byteCount),
        size.byteCount % 4096 == 0
      else {
        throw ValidationError(
          "--read-sizes has “\(text)”; give multiples of 4096 up to 256M, such as 128K,4M")
      }
      return size.byteCount
    }
    guard let file else { return nil }
    guard FileManager.default.isReadableFile(atPath: file) else {
      throw ValidationError("--file is \(file), which cannot be read; give an existing file")
    }
    return ReadBenchmark.Settings(
      path: file, extentByteCounts: byteCounts, depth: depth, seed: seed)
  }

  func run() throws {
    let threadCount =
      threads
      ?? min(
        ProcessInfo.processInfo.activeProcessorCount, WorkerTeam.workerCountMax)
    let context = BenchmarkContext(
      team: try WorkerTeam(workerCount: threadCount),
      reference: try BenchmarkContext.referenceTeam(), isToy: toy,
      reads: try readSettings(),
      texts: tokenizer.map {
        TokenizeBenchmark.Settings(
          modelPath: $0, textPaths: texts.split(separator: ",").map { String($0) })
      })
    let chosen = benchmarkSubjects.flatMap { $0(context) }
      .filter { filter.isEmpty || $0.name.contains(filter) }
    guard !chosen.isEmpty else {
      throw ValidationError("no benchmark's name contains “\(filter)”; see --list")
    }
    if list { return chosen.forEach { print($0.name) } }

    let harness = Harness(seconds: seconds)
    let readRate = try MemoryBenchmark.readRate(context, harness)
    print(
      "\(threadCount) threads, \(InstructionSet.current.name); the machine reads at "
        + "\(decimal(readRate, 1)) GB/s")
    var report = Report(readRate: readRate, threadCount: threadCount)
    print(Report.heading)
    for benchmark in chosen {
      let result = try harness.measure(benchmark)
      report.add(result)
      print(report.line(result))
    }
    if let csv { try report.csv.write(toFile: csv, atomically: true, encoding: .utf8) }
  }
}
