import ArgumentParser
import FoundationEssentials
import MoECore
import MoERuntime

/// `moe-run plan`: what a run would do, without doing it.
struct Plan: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a run would do with a model and a budget, and how fast.",
    discussion: """
      Speed is predicted from a measurement of this machine, which is kept in the user's cache \
      folder; with --probe none nothing is measured and no weight is read. Of a model of a hub \
      (-hf) that is not here only the header is read, and no speed is predicted.

      Exits with 1 where the budget is too small. With --json it exits with 0 also then, and the \
      field "fits" is false.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @OptionGroup(title: "Prediction") var prediction: PredictionOptions

  @Flag(
    help: ArgumentHelp(
      "Say also how fast 1, 2, 4, ... texts at a time are together, as serve and batch run them, "
        + "and how many are worth it."))
  var parallel = false

  @Flag(help: "Write the plan as JSON.")
  var json = false

  func validate() throws {
    if parallel, prediction.mode == .none {
      throw ValidationError("--parallel has no meaning with --probe none, which predicts nothing")
    }
  }

  func run() async throws {
    let header = try await model.header()
    if let name = header.hubName, prediction.isAsked || parallel {
      throw Failure.usage(
        "speed is predicted from a model that is here: moe-run pull \(name) brings it; without it "
          + "leave out --parallel, --trace, --hit-rate, --prompt-tokens and --probe fresh")
    }
    let options = memory.engineOptions(contextLength: context.ctxSize)
    let environment = ProcessInfo.processInfo.environment
    var (plan, planned) = try header.read { path throws(EngineError) in
      try Engine.plannedCosts(
        modelAt: path, options: options, promptTokenCount: prediction.promptTokens,
        probe: header.hubName == nil ? prediction.mode : .none, environment: environment)
    }
    plan.path = header.named(plan.path)
    plan.missing = header.missing ?? plan.missing
    let predicted = try planned.map { planned throws(Failure) in
      try Prediction(planned, options: prediction)
    }
    var texts: ParallelPrediction?
    if parallel, plan.memory.fits {
      // The figures are kept by now, or can't be.
      let table = try header.read { path throws(EngineError) in
        try Engine.parallelCosts(
          modelAt: path, options: options,
          counts: Engine.parallelCounts(upTo: Engine.parallelRequestCountMax),
          position: prediction.promptTokens, probe: .cached, environment: environment)
      }
      texts = try ParallelPrediction(table, options: prediction)
    }
    if json {
      return try StandardOutput.write(JSONReport.text(PlanReport(plan, predicted, texts)))
    }
    try StandardOutput.write(
      PlanReport.text(plan) + (predicted.map(PredictionReport.text) ?? "")
        + (texts.map(ParallelReport.text) ?? ""))
    guard plan.memory.fits else {
      throw Failure.runtime(EngineError.budgetTooSmall(plan.memory).flagDescription)
    }
  }
}
