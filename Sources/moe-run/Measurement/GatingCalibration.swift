import FoundationEssentials
import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime
import MoETokenizer

/// Finds the fastest gating whose cost in quality stays under a bound.
///
/// Every candidate predicts the calibration text; those whose perplexity is within the bound are
/// timed while decoding its start, with the engine and the memory of the run to come. Which one is
/// the fastest depends on the machine, so the choice is printed: given by name it gives the same
/// text anywhere. What was measured is kept in the user's cache folder, for the next run alike.
struct GatingCalibration {
  /// What was chosen, and the model as it is.
  struct Outcome {
    let gating: GatingSpecification
    let chosen: GatingFrontier.Point
    let own: GatingFrontier.Point
    let bound: Double
    /// Whether it was measured now, and if so why it could not be kept.
    let note: String?

    /// One line for people.
    var text: String {
      let speed = own.tokensPerSecond > 0 ? chosen.tokensPerSecond / own.tokensPerSecond : 1
      let change = 100 * (chosen.perplexity / own.perplexity - 1)
      return
        "gating \(chosen.gating): the fastest within \(Decimals.text(100 * bound, 2)) % of "
        + "perplexity on the calibration text (\(change < 0 ? "" : "+")"
        + "\(Decimals.text(change, 2)) %, \(Decimals.text(chosen.meanExpertCount, 2)) experts per "
        + "token, \(Decimals.text(speed, 2)) times the speed\(note.map { "; \($0)" } ?? ""))"
    }
  }

  /// What results are the same for, as far as a machine repeats itself.
  private struct Request: Codable, Equatable {
    /// Counts up with every change of what is measured or how.
    var version = 1
    var model: String
    var modelByteCount: Int
    var instructionSet: String
    var store: String
    var cachePolicy: String
    var threadCount: Int
    var poolSlotCount: Int
    var contextLength: Int
    var candidates: [String]
    var bound: Double
    /// FNV-1a of the calibration text's tokens.
    var text: String
  }

  private static let tokenCountMax = 2048
  private static let windowTokenCount = 512
  private static let decodedTokenCount = 192
  private static let roundCount = 3

  /// The text that comes with the program.
  static var ownText: String { String(decoding: PackageResources.calibration_txt, as: UTF8.self) }

  let engine: Engine
  let bound: Double
  let isQuiet: Bool

  /// - Parameter text: Nil: the one that comes with the program.
  func run(on text: String?) async throws -> Outcome {
    // The program's own text has a chat in it; a person's text is text alone.
    let own = Self.ownText
    let tokens = engine.tokenizer.encode(
      text ?? own, addSpecial: false, parseSpecial: text == nil
    ).prefix(Self.tokenCountMax)
    guard tokens.count >= 2 else {
      throw Failure.usage("the calibration text has \(tokens.count) tokens; give a longer one")
    }
    let plan = engine.plan
    let candidates = try GatingCandidates.all(
      expertsPerToken: plan.expertsPerToken.max() ?? 0, layerCount: plan.layerCount)
    let request = request(candidates, Array(tokens))
    let cache = ResultCache<Request, [GatingFrontier.Point]>(
      prefix: "gating", environment: ProcessInfo.processInfo.environment)
    if let points = cache.result(for: request), points.first?.gating == "off" {
      return try outcome(points, note: "measured before")
    }
    let measurement = GatingMeasurement(
      engine: engine, texts: [Array(tokens)],
      windowTokenCount: min(Self.windowTokenCount, max(2, plan.memory.contextLength)),
      decodedTokenCount: Self.decodedTokenCount, roundCount: Self.roundCount, isQuiet: isQuiet)
    let points = try await measurement.points(candidates, within: bound).points
    return try outcome(points, note: cache.store(points, for: request))
  }

  private func outcome(_ points: [GatingFrontier.Point], note: String?) throws -> Outcome {
    let frontier = GatingFrontier(
      model: engine.plan.path, texts: [], scoredTokenCount: 0, memory: "", points: points)
    guard let chosen = frontier.fastest(within: bound), let own = points.first else {
      throw Failure.runtime("no gating could be measured on the calibration text")
    }
    return Outcome(
      gating: try GatingSpecification(parsing: chosen.gating), chosen: chosen, own: own,
      bound: bound, note: note)
  }

  /// The beginning of what a plan says of its store. The rest is how much memory the system let it
  /// register, which other processes change.
  private static func wayToRead(_ report: String) -> String {
    report.split(separator: ",").prefix(2).joined(separator: ",")
  }

  private func request(_ candidates: [GatingSpecification], _ tokens: [Int32]) -> Request {
    let plan = engine.plan
    var hash = FNV1a()
    for token in tokens { hash.update(UInt32(bitPattern: token)) }
    return Request(
      model: plan.path, modelByteCount: plan.modelByteCount, instructionSet: plan.instructionSet,
      store: Self.wayToRead(plan.store), cachePolicy: plan.cachePolicy.rawValue,
      threadCount: plan.memory.threadCount,
      poolSlotCount: plan.memory.slotCount, contextLength: plan.memory.contextLength,
      candidates: candidates.map(\.description), bound: bound, text: hash.text)
  }
}
