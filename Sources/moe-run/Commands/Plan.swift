import ArgumentParser
import FoundationEssentials
import MoECore
import MoERuntime

/// `moe-run plan`: what a run would do, without doing it.
struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a run would do with a model and a budget, and how fast.",
    discussion: """
      Speed is predicted from a measurement of this machine, which is kept in the user's cache \
      folder; with --probe none nothing is measured and no weight is read.

      Exits with 1 where the budget is too small. With --json it exits with 0 also then, and the \
      field "fits" is false.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @OptionGroup(title: "Prediction") var prediction: PredictionOptions

  @Flag(help: "Write the plan as JSON.")
  var json = false

  func run() throws {
    let (plan, planned) = try Engine.plannedCosts(
      modelAt: model.path(), options: memory.engineOptions(contextLength: context.ctxSize),
      promptTokenCount: prediction.promptTokens, probe: prediction.mode,
      environment: ProcessInfo.processInfo.environment)
    let predicted = try planned.map { planned throws(Failure) in
      try Prediction(planned, options: prediction)
    }
    if json { return try StandardOutput.write(JSONReport.text(PlanReport(plan, predicted))) }
    try StandardOutput.write(
      PlanReport.text(plan) + (predicted.map(PredictionReport.text) ?? ""))
    guard plan.memory.fits else {
      throw Failure.runtime(EngineError.budgetTooSmall(plan.memory).flagDescription)
    }
  }
}
