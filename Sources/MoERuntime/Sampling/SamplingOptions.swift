/// How the next token is drawn from the model's distribution. The defaults are llama.cpp's, so that
/// the same flags give the same kind of text.
public struct SamplingOptions: Sendable, Equatable {
  /// 0 and below: always the most probable token.
  public var temperature: Float = 0.8
  /// Keep this many of the most probable tokens; 0: all.
  public var topK = 40
  /// Keep the most probable tokens that together have this probability (arXiv 1904.09751); 1: all.
  public var topP: Float = 0.95
  /// Keep tokens at least this fraction as probable as the most probable (arXiv 2407.01082); 0:
  /// all.
  public var minP: Float = 0.05
  /// Divides positive and multiplies negative logits of recent tokens (arXiv 1909.05858); 1: off.
  public var repeatPenalty: Float = 1
  /// How many of the latest tokens the repeat penalty looks at; -1: the whole context.
  public var repeatLastCount = 64
  /// The same seed and options give the same tokens. Nil: drawn anew.
  public var seed: UInt64?

  public init() {}

  /// Always the most probable token.
  public static var greedy: SamplingOptions {
    var options = SamplingOptions()
    options.temperature = 0
    return options
  }

  /// Refuses values that have no meaning.
  func check() throws(EngineError) {
    for (name, value) in [("the temperature", temperature), ("top-p", topP), ("min-p", minP)]
    where value.isNaN {
      throw .invalidOption(name: name, wanted: "a number", found: "\(value)")
    }
    guard repeatPenalty > 0 && repeatPenalty.isFinite else {
      throw .invalidOption(
        name: "the repeat penalty", wanted: "a number above 0", found: "\(repeatPenalty)")
    }
  }
}
