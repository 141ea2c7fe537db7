import MoEAnalysis
import MoERuntime
import MoETokenizer

/// Finds the fastest gating whose cost in quality stays under a bound.
///
/// Every candidate predicts the calibration text; those whose perplexity is within the bound are
/// timed while decoding its start, with the engine and the memory of the run to come. Which one is
/// the fastest depends on the machine, so the choice is printed: given by name it gives the same
/// text anywhere.
struct GatingCalibration {
  /// What was chosen, and the model as it is.
  struct Outcome {
    let gating: GatingSpecification
    let chosen: GatingFrontier.Point
    let own: GatingFrontier.Point
    let bound: Double

    /// One line for people.
    var text: String {
      let speed = own.tokensPerSecond > 0 ? chosen.tokensPerSecond / own.tokensPerSecond : 1
      let change = 100 * (chosen.perplexity / own.perplexity - 1)
      return
        "gating \(chosen.gating): the fastest within \(Decimals.text(100 * bound, 2)) % of "
        + "perplexity on the calibration text (\(change < 0 ? "" : "+")"
        + "\(Decimals.text(change, 2)) %, \(Decimals.text(chosen.meanExpertCount, 2)) experts per "
        + "token, \(Decimals.text(speed, 2)) times the speed)"
    }
  }

  private static let tokenCountMax = 2048
  private static let windowTokenCount = 512
  private static let decodedTokenCount = 192
  private static let roundCount = 3

  let engine: Engine
  let bound: Double
  let isQuiet: Bool

  /// - Parameter text: Nil: the one that comes with the program.
  func run(on text: String?) async throws -> Outcome {
    let text = text ?? String(decoding: PackageResources.calibration_txt, as: UTF8.self)
    let tokens = engine.tokenizer.encode(text, addSpecial: false, parseSpecial: true)
      .prefix(Self.tokenCountMax)
    guard tokens.count >= 2 else {
      throw Failure.usage("the calibration text has \(tokens.count) tokens; give a longer one")
    }
    let plan = engine.plan
    let measurement = GatingMeasurement(
      engine: engine, texts: [Array(tokens)],
      windowTokenCount: min(Self.windowTokenCount, max(2, plan.memory.contextLength)),
      decodedTokenCount: Self.decodedTokenCount, roundCount: Self.roundCount, isQuiet: isQuiet)
    let candidates = try GatingCandidates.all(
      expertsPerToken: plan.expertsPerToken, layerCount: plan.layerCount)
    let (points, scoredTokenCount) = try await measurement.points(candidates, within: bound)
    let frontier = GatingFrontier(
      model: plan.path, texts: [], scoredTokenCount: scoredTokenCount, memory: "", points: points)
    guard let chosen = frontier.fastest(within: bound) else { throw CancellationError() }
    return Outcome(
      gating: try GatingSpecification(parsing: chosen.gating), chosen: chosen, own: points[0],
      bound: bound)
  }
}
