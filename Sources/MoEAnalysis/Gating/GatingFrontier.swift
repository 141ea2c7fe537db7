/// What each setting of dynamic gating costs in quality and saves in reads and time, measured with
/// one model on one set of texts. Written by `moe-run frontier`, read by `moe-run report`.
package struct GatingFrontier: Sendable, Equatable, Codable {
  /// One measured setting.
  package struct Point: Sendable, Equatable, Codable {
    /// As `--gating` takes it; "off" for the model as it is.
    package var gating: String
    /// Experts computed per token and layer.
    package var meanExpertCount: Double
    package var perplexity: Double
    /// Bytes read from disk per token while decoding with the named memory.
    package var readBytesPerToken: Double
    package var tokensPerSecond: Double

    package init(
      gating: String, meanExpertCount: Double, perplexity: Double, readBytesPerToken: Double,
      tokensPerSecond: Double
    ) {
      self.gating = gating
      self.meanExpertCount = meanExpertCount
      self.perplexity = perplexity
      self.readBytesPerToken = readBytesPerToken
      self.tokensPerSecond = tokensPerSecond
    }
  }

  package var model: String
  /// The names of the texts that perplexity was measured on.
  package var texts: [String]
  /// The tokens that were scored.
  package var scoredTokenCount: Int
  /// As the flag had it: "25%" of the experts, say.
  package var memory: String
  /// The first is "off".
  package var points: [Point]

  package init(
    model: String, texts: [String], scoredTokenCount: Int, memory: String, points: [Point]
  ) {
    self.model = model
    self.texts = texts
    self.scoredTokenCount = scoredTokenCount
    self.memory = memory
    self.points = points
  }
}
