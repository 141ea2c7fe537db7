import MoEReport
import MoERuntime

/// What `perplexity` writes; with `--json` these properties in snake_case as its keys.
struct PerplexityReport: Encodable {
  let model: String
  let perplexity: Double
  /// In nats.
  let meanNegativeLogLikelihood: Double
  /// Tokens that were scored.
  let tokens: Int
  let windowTokens: Int
  let strideTokens: Int
  let score: PerplexityOptions.Scoring
  let seconds: Double
  let budgetBytes: Int
  /// The next two only where a gating was on.
  let gating: String?
  /// Experts that a token took in a layer, in the mean.
  let expertsPerToken: Double?

  init(_ result: PerplexityResult, plan: RunPlan, options: PerplexityOptions) {
    model = plan.path
    perplexity = result.perplexity
    meanNegativeLogLikelihood = result.meanNegativeLogLikelihood
    tokens = result.tokens
    windowTokens = options.windowTokenCount
    strideTokens = options.stride ?? options.windowTokenCount
    score = options.scoring
    seconds = result.seconds
    budgetBytes = plan.memory.budgetByteCount
    gating = options.gating.isOff ? nil : options.gating.description
    expertsPerToken = options.gating.isOff ? nil : result.expertsPerToken
  }

  var text: String {
    """
    perplexity \(Decimals.text(perplexity, 4)) over \(tokens) tokens \
    (\(Decimals.text(meanNegativeLogLikelihood, 5)) nats per token, windows of \(windowTokens), \
    \(Decimals.text(seconds, 1)) s)\(gatingText)

    """
  }

  private var gatingText: String {
    guard let gating, let expertsPerToken else { return "" }
    return ", gating \(gating), \(Decimals.text(expertsPerToken, 2)) experts per token"
  }
}
