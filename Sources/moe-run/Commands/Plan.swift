import ArgumentParser
import MoERuntime

/// `moe-run plan`: what a run would do, without doing it.
struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a run would do with a model and a budget; reads no weights.",
    discussion: """
      Exits with 1 where the budget is too small. With --json it exits with 0 also then, and the \
      field "fits" is false.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Flag(help: "Write the plan as JSON.")
  var json = false

  func run() throws {
    let plan = try Engine.plan(
      modelAt: model.path(), options: memory.engineOptions(contextLength: context.ctxSize))
    if json { return try StandardOutput.write(JSON.text(PlanReport(plan))) }
    try StandardOutput.write(PlanReport.text(plan))
    guard plan.memory.fits else {
      throw Failure.runtime("\(EngineError.budgetTooSmall(plan.memory))")
    }
  }
}
