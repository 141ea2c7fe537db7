import FoundationEssentials
private import MoECore

extension GatingFrontier {
  /// A file of more than this is no frontier.
  private static let byteCountMax = 1 << 20
  private static let pointCountMax = 1000

  /// Reads what `moe-run frontier` wrote. The file is untrusted: errors are one sentence that names
  /// it.
  package init(contentsOf path: String) throws(RoutingAnalysisError) {
    func refusal(_ problem: String) -> RoutingAnalysisError {
      RoutingAnalysisError(
        "\(path) cannot be used as a frontier of gating: \(problem); give a file that 'moe-run "
          + "frontier' wrote")
    }
    let bytes: [UInt8]
    do {
      bytes = try RoutingTraceError.contents(of: path, byteCountMax: Self.byteCountMax)
    } catch {
      throw refusal(error.problem)
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let frontier = try? decoder.decode(GatingFrontier.self, from: Data(bytes)) else {
      throw refusal("it is not a JSON object with model, texts, scored_token_count, memory, points")
    }
    guard (1...Self.pointCountMax).contains(frontier.points.count) else {
      throw refusal("it has \(frontier.points.count) points, not 1 to \(Self.pointCountMax)")
    }
    for point in frontier.points {
      let figures = [
        point.meanExpertCount, point.perplexity, point.readBytesPerToken, point.tokensPerSecond,
      ]
      guard figures.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw refusal("a figure of \(point.gating.quotedForMessage) is below 0 or not finite")
      }
    }
    self = frontier
  }
}
