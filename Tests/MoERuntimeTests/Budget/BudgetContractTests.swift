import Foundation
import MoETestSupport
import Testing

/// Memory given is memory used and never exceeded, as the kernel counts it, for whole runs of the
/// program in processes of their own.
@Suite(.budgetModel, .serialized) struct BudgetContractTests {
  let model: URL

  init() throws { model = try #require(BudgetModel.url) }

  /// Shares of the model's file.
  @Test(arguments: ["120%", "60%", "40%"], [1, 500, 4000])
  func thePeakStaysWithinTheBudgetAndUsesIt(memory: String, promptTokenCount: Int) async throws {
    let run = BudgetedRun(memory: memory, promptTokenCount: promptTokenCount)
    let (peak, report) = try await run.requireSuccess(model: model)
    if memory == "120%" {
      #expect(report.placement == "resident")
    } else {
      #expect(report.placement == "offloaded")
      let share = Double(peak) / Double(report.budgetBytes)
      #expect(share >= 0.92, "used \(share) of \(report.budgetBytes >> 20) MiB")
    }
  }

  @Test(arguments: [1, 600])
  func aLongContextIsPartOfTheBudget(promptTokenCount: Int) async throws {
    let run = BudgetedRun(
      memory: "40%", promptTokenCount: promptTokenCount, contextLength: 16384)
    let (peak, report) = try await run.requireSuccess(model: model)
    #expect(Double(peak) >= 0.92 * Double(report.budgetBytes))
  }

  @Test(arguments: ["auto", "buffered", "memory"])
  func everyStoreKeepsTheBudget(_ store: String) async throws {
    // One of them holds the files whole.
    var run = BudgetedRun(memory: store == "memory" ? "150%" : "40%", promptTokenCount: 100)
    run.store = store
    let (peak, report) = try await run.requireSuccess(model: model)
    #expect(report.placement == "offloaded")
    #expect(Double(peak) >= 0.92 * Double(report.budgetBytes))
  }

  @Test(arguments: [1024, 16384])
  func theSmallestBudgetThatIsNamedWorksAndLessIsRefused(contextLength: Int) async throws {
    let refusal = try await BudgetedRun(memory: "1M", contextLength: contextLength).run(
      model: model)
    #expect(refusal.process.exitCode == 1 && refusal.report == nil)
    let text = refusal.process.errorOutput
    // Who needs what.
    for row in ["process", "dense weights", "KV cache", "scratch", "expert pool", "smallest"] {
      #expect(text.contains(row), "\(text)")
    }
    let smallest = try #require(smallestBudget(in: text), "\(text)")
    for promptTokenCount in [1, 200] {
      var run = BudgetedRun(memory: "\(smallest)M", contextLength: contextLength)
      run.promptTokenCount = promptTokenCount
      _ = try await run.requireSuccess(model: model)
    }
    // What the process itself costs differs a little from start to start, and the number that is
    // named allows for that.
    let less = try await BudgetedRun(memory: "\(smallest - 3)M", contextLength: contextLength).run(
      model: model)
    #expect(less.process.exitCode == 1 && less.report == nil)
    let again = try #require(smallestBudget(in: less.process.errorOutput))
    #expect(abs(again - smallest) <= 1)
  }

  /// The number in "give at least --memory 83M".
  private func smallestBudget(in text: String) -> Int? {
    text.split(separator: "--memory ").last.flatMap { Int($0.prefix(while: \.isNumber)) }
  }

  @Test func aRefusalComesBeforeWeightsAreRead() async throws {
    let (process, _) = try await BudgetedRun(memory: "1M").run(model: model)
    #expect(process.exitCode == 1)
    #expect(process.peakByteCount < 64 << 20)
  }

  @Test func aModelThatIsForcedToBeResidentIsRefusedWhereItDoesNotFit() async throws {
    var run = BudgetedRun(memory: "60%")
    run.placement = "resident"
    let (process, report) = try await run.run(model: model)
    #expect(process.exitCode == 1 && report == nil)
    #expect(process.peakByteCount < 64 << 20)
  }

  @Test func anInterruptedRunStaysWithinTheBudget() async throws {
    var run = BudgetedRun(memory: "40%", promptTokenCount: 100)
    run.generatedTokenCount = 3000
    // The prompt is written with the first token.
    let (_, report) = try await run.requireSuccess(model: model, interruptedAfter: "0149")
    #expect(report.generatedTokens >= 1 && report.generatedTokens < 3000)
  }
}
