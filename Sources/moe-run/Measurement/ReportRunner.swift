import FoundationEssentials
import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime
import MoETokenizer

private import MoEPlatform

/// Makes a side of a report of a model, its texts and its trace, or of a trace alone.
///
/// The order matters: memory is divided and speed is measured before the trace is in memory, since
/// a plan counts all that the process holds.
struct ReportRunner {
  /// Texts by label, whole.
  let texts: [(label: String, text: String)]
  /// Whether names of special tokens in the texts are these tokens.
  let parsesSpecialTokens: Bool
  /// Of the engine; its memory is that of recording.
  let engineOptions: EngineOptions
  let sequenceTokenCount: Int
  /// Of each text; nil: all.
  let tokenCountMax: Int?
  /// Empty: from the smallest to one that holds all experts.
  let memories: [SizeSpecification]
  /// Bytes per second, besides this machine's.
  let diskRates: [Double]
  /// Of one expert, for traces without a model.
  let expertByteCount: Int?
  let contextLength: Int?
  let probe: ProbeMode
  let isMeasured: Bool
  let isQuiet: Bool

  private static let decodeTokenCount = 32
  private static let repetitionCount = 2
  /// Texts are read and decoding is predicted at such a position, or at half of the context.
  private static let position = 128
  private static let contextLengthStandard = 512

  func side(trace path: String) throws -> ReportSide {
    let trace = try TraceArgument.trace(at: path)
    let routing = try report(trace, name: path)
    let speed = expertByteCount.map {
      SpeedReport(routing.hitRates, expertByteCount: $0, diskRates: diskRates)
    }
    return ReportSide(routing: routing, parameters: nil, speed: speed)
  }

  /// - Parameter tracePath: A trace of the model; nil: the texts are recorded.
  func side(model path: String, trace tracePath: String?) async throws -> ReportSide {
    let options = try planOptions(path)
    let table = try Engine.plannedCosts(
      modelAt: path, options: options, budgets: memories, position: decodePosition, probe: probe,
      environment: ProcessInfo.processInfo.environment)
    guard !table.rows.isEmpty else {
      throw Failure.runtime(
        "none of the memories of --memory is large enough for \(path): the smallest is "
          + table.plan.memory.smallestBudgetArgument)
    }
    let measured = isMeasured ? try await measure(path, table, options) : []
    let parameters = ParameterReport(try ModelInspection(path: path))
    let trace: RoutingTrace
    if let tracePath {
      trace = try TraceArgument.trace(at: tracePath)
    } else {
      trace = try await record(path, contextLength: table.plan.memory.contextLength)
    }
    let name = tracePath ?? path
    let costs = table.rows[0].costs
    do {
      try trace.check(
        layerCount: costs.routedLayerCount, expertCount: costs.expertCount,
        expertsPerToken: costs.expertsPerToken, name: name)
    } catch {
      throw Failure.runtime(error.description)
    }
    let routing = try report(trace, name: name)
    var speed = try self.speed(table, trace: trace, name: name)
    for (row, measurement) in measured.enumerated() {
      if let measurement { speed.measure(measurement, row: row) }
    }
    return ReportSide(routing: routing, parameters: parameters, speed: speed)
  }

  private func planOptions(_ path: String) throws(EngineError) -> EngineOptions {
    var options = engineOptions
    options.memory = nil
    options.contextLength = contextLength
    guard contextLength == nil else { return options }
    let longest = try Engine.plan(modelAt: path, options: options).memory.contextLength
    options.contextLength = min(Self.contextLengthStandard, longest)
    return options
  }

  private func decodePosition(_ contextLength: Int) -> Int {
    max(1, min(Self.position, contextLength / 2))
  }

  private func report(_ trace: RoutingTrace, name: String) throws(Failure) -> RoutingReport {
    let bar = ProgressBar("analysing", isQuiet: isQuiet)
    defer { bar.erase() }
    do {
      return try RoutingReport(trace, name: name, progress: bar.update)
    } catch {
      throw .runtime(error.description)
    }
  }

  private func speed(
    _ table: BudgetTable, trace: RoutingTrace, name: String
  ) throws(Failure) -> SpeedReport {
    let settings = table.rows.map { row in
      SpeedReport.Setting(
        memoryByteCount: row.memory.budgetByteCount, poolByteCount: row.memory.experts.byteCount,
        slotCount: row.costs.slotCounts.reduce(0, +),
        expertCount: row.memory.expertCount, costs: row.costs)
    }
    let sample: RoutingTrace
    do {
      sample = try trace.sampled(requestCountMax: RoutingReport.Limits().replayRequests)
    } catch {
      throw .runtime(error.description)
    }
    let contextLength = table.plan.memory.contextLength
    return SpeedReport(
      settings, trace: sample, name: name, policy: table.plan.cachePolicy.rawValue,
      diskRates: diskRates,
      position: decodePosition(contextLength), contextLength: contextLength, note: table.note)
  }

  /// Decodes a short text in each memory of the table; nil where the process has grown too large
  /// for one since it was planned.
  private func measure(
    _ path: String, _ table: BudgetTable, _ options: EngineOptions
  ) async throws -> [SpeedReport.Measurement?] {
    let contextLength = table.plan.memory.contextLength
    let position = decodePosition(contextLength)
    let count = max(1, min(Self.decodeTokenCount, contextLength - position))
    defer { ProgressBar.eraseAny() }
    var measured: [SpeedReport.Measurement?] = []
    for row in table.rows {
      let budget = row.memory.budgetByteCount
      var runner = BenchRunner(
        path: path, engineOptions: options,
        tests: [BenchTest(phase: .decode, tokenCount: count, depth: position)],
        settings: [
          BenchSetting(
            memory: .bytes(budget), budget: Figures.bytes(budget),
            threadCount: options.threadCount)
        ], repetitionCount: Self.repetitionCount, isCold: false, seed: 1, isQuiet: isQuiet,
        text: nil, gating: .off)
      runner.contextLengthMin = contextLength
      do {
        try await runner.run()
      } catch EngineError.budgetTooSmall {
        measured.append(nil)
        continue
      }
      measured.append(
        runner.rows.first.map {
          SpeedReport.Measurement(tokensPerSecond: $0.median, hitRate: $0.hitRate)
        })
    }
    return measured
  }

  /// Runs the texts through the model and reads the trace back.
  private func record(_ path: String, contextLength: Int) async throws -> RoutingTrace {
    let folder = try Self.temporaryFolder()
    let file = folder + "/report.moetrace"
    defer { Folder.remove(folder, with: ["report.moetrace"]) }
    let count = min(sequenceTokenCount, contextLength)
    var options = engineOptions
    options.contextLength = count
    let loading = ProgressBar("loading", isQuiet: isQuiet, format: ProgressBar.sizes)
    let engine = try await Engine(modelAt: path, options: options, progress: loading.update)
    loading.erase()
    let samples = texts.map { label, text in
      let tokens = engine.tokenizer.encode(
        text, addSpecial: false, parseSpecial: parsesSpecialTokens)
      return RoutingText(label: label, tokens: Array(tokens.prefix(tokenCountMax ?? tokens.count)))
    }
    let bar = ProgressBar("recording", isQuiet: isQuiet)
    let task = Task {
      try await engine.recordRouting(
        of: samples, sequenceTokenCount: count, to: RoutingTraceOptions(path: file),
        progress: bar.update)
    }
    Interruption.onFirstSignal { task.cancel() }
    defer { bar.erase() }
    _ = try await task.value
    await engine.unload()
    return try TraceArgument.trace(at: file)
  }

  private static func temporaryFolder() throws(Failure) -> String {
    let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    do throws(FileError) {
      return try Folder.makeTemporary(in: base)
    } catch {
      throw .runtime("no folder for the recording can be made in \(base): \(error.reason)")
    }
  }
}
