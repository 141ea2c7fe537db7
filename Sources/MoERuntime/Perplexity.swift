/// How a text's perplexity is taken.
public struct PerplexityOptions: Sendable {
  /// Which tokens of a window count.
  public enum Scoring: String, Sendable, CaseIterable, Codable {
    /// Every token that has another before it and was not scored in an earlier window.
    case all
    /// The second half of every whole window, as llama.cpp's tool does it.
    case secondHalf = "second-half"
  }

  /// Tokens that are read together, from an empty context.
  public var windowTokenCount = 512
  /// Tokens from one window's start to the next. Nil: windows do not overlap.
  public var stride: Int?
  public var scoring = Scoring.all
  /// Use only this many tokens of the text. Nil: all.
  public var tokenCountMax: Int?
  /// Called on the engine's thread: tokens done, tokens in all.
  public var progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?

  public init() {}
}

/// How well a model predicts a text.
public struct PerplexityResult: Sendable, Codable, Equatable {
  /// exp of the mean negative log-likelihood.
  public var perplexity: Double
  /// Tokens that were scored.
  public var tokens: Int
  /// In nats.
  public var meanNegativeLogLikelihood: Double
  public var seconds: Double
}
