import MoEAnalysis
import MoEReport

/// A frontier for people: a line for each setting.
enum FrontierTable {
  static func text(_ frontier: GatingFrontier) -> String {
    let heading = [
      "gating", "experts/token", "perplexity", "change %", "KiB read/token", "t/s", "",
    ]
    let best = frontier.points.first?.perplexity ?? 1
    let cells = frontier.points.map { point in
      [
        point.gating, Decimals.text(point.meanExpertCount, 2), Decimals.text(point.perplexity, 4),
        Decimals.text(100 * (point.perplexity / best - 1), 2),
        Decimals.text(point.readBytesPerToken / 1024, 1), Decimals.text(point.tokensPerSecond, 1),
        isOnFrontier(point, frontier.points) ? "*" : "",
      ]
    }
    return Columns.text([heading] + cells, right: [1, 2, 3, 4, 5])
      + "* no other setting reads less at as low a perplexity; "
      + "\(frontier.scoredTokenCount) tokens scored; \(frontier.memory)\n"
  }

  /// Whether no other point is at least as good in both, perplexity and bytes, and better in one.
  static func isOnFrontier(
    _ point: GatingFrontier.Point, _ points: [GatingFrontier.Point]
  ) -> Bool {
    !points.contains { other in
      other.perplexity <= point.perplexity && other.readBytesPerToken <= point.readBytesPerToken
        && (other.perplexity < point.perplexity
          || other.readBytesPerToken < point.readBytesPerToken)
    }
  }
}
