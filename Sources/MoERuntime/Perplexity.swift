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
  /// What changes which experts tokens take. Off: the model as it is. A gating that depends on what
  /// is in memory has the text read token by token (`readsOneByOne`).
  public var gating = GatingSpecification.off
  /// Read the text token by token, as if it were generated, instead of a window at once: slower,
  /// and what the experts cost is then what they cost a generation. Does not change the result of
  /// a gating that does not depend on what is in memory.
  public var readsOneByOne = false
  /// Read names of special tokens in the text as those tokens.
  public var parsesSpecialTokens = false
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
  /// Experts that a token took in a layer, in the mean.
  public var expertsPerToken: Double
  /// Tokens that were read: those that were scored, and those before them in their windows.
  public var readTokens: Int
  /// What the experts cost.
  public var traffic: ExpertTraffic
}
