internal import MoECore

/// How the next token is drawn from the model's distribution. The defaults are llama.cpp's, so that
/// the same flags give the same kind of text.
public struct SamplingOptions: Sendable, Hashable {
  /// 0 and below: always the most probable token.
  public var temperature: Float = 0.8
  /// Keep this many of the most probable tokens; 0: all.
  public var topK = 40
  /// Keep the most probable tokens that together have this probability (arXiv 1904.09751); 1: all.
  public var topP: Float = 0.95
  /// Keep tokens at least this fraction as probable as the most probable (arXiv 2407.01082); 0:
  /// all.
  public var minP: Float = 0.05
  /// Keep the tokens whose surprise is nearest to the expected one, up to this probability together
  /// (arXiv 2202.00666); 1: all.
  public var typicalP: Float = 1
  /// Keep logits at most so many standard deviations below the largest (arXiv 2411.07641); 0: all.
  public var topNSigma: Float = 0
  /// How often the most probable tokens are dropped, but for the last of those that have at least
  /// the threshold's probability (XTC); 0: never.
  public var xtcProbability: Float = 0
  public var xtcThreshold: Float = 0.1
  /// Lets the temperature go so far down and up by the distribution's entropy; 0: it stays.
  public var dynamicTemperatureRange: Float = 0
  public var dynamicTemperatureExponent: Float = 1
  /// Divides positive and multiplies negative logits of recent tokens (arXiv 1909.05858); 1: off.
  public var repeatPenalty: Float = 1
  /// Taken from the logits of recent tokens: once for each token, and once for each time.
  public var presencePenalty: Float = 0
  public var frequencyPenalty: Float = 0
  /// How many of the latest tokens these penalties look at; -1: the whole context.
  public var repeatLastCount = 64
  /// What a token loses that would go on with a repetition longer than allowed (DRY): multiplier
  /// times base to the power of what it is longer; multiplier 0: nothing.
  public var dryMultiplier: Float = 0
  public var dryBase: Float = 1.75
  public var dryAllowedLength = 2
  /// How many of the latest tokens may be repeated; -1: the whole context.
  public var dryLastCount = -1
  /// Texts past which repetitions do not go.
  public var dryBreakers = ["\n", ":", "\"", "*"]
  /// Added to the logits of tokens; minus infinity forbids one.
  public var logitBiases: [Int32: Float] = [:]
  /// Whether tokens are narrowed so that texts surprise by about as many bits as aimed at
  /// (Mirostat 2.0, arXiv 2007.14966), in place of the ways above.
  public var mirostat = false
  public var mirostatTarget: Float = 5
  public var mirostatRate: Float = 0.1
  /// Names of the stages in the order in which they are applied, those not named being left out.
  /// Nil: penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature.
  public var samplers: [String]?
  /// The same seed and options give the same tokens. Nil: drawn anew.
  public var seed: UInt64?

  public init() {}

  /// Names that `samplers` may have, in the order that it has where it is nil.
  public static var samplerNames: [String] { SamplerRegistry.ordered.map(\.name) }

  /// Always the most probable token.
  public static var greedy: SamplingOptions {
    var options = SamplingOptions()
    options.temperature = 0
    return options
  }

  /// Refuses values that have no meaning.
  func check() throws(EngineError) {
    for (name, value) in [
      ("the temperature", temperature), ("top-p", topP), ("min-p", minP), ("typical p", typicalP),
      ("top-n-sigma", topNSigma), ("the probability of XTC", xtcProbability),
      ("the threshold of XTC", xtcThreshold),
      ("the range of the dynamic temperature", dynamicTemperatureRange),
      ("the exponent of the dynamic temperature", dynamicTemperatureExponent),
      ("the presence penalty", presencePenalty), ("the frequency penalty", frequencyPenalty),
      ("the multiplier of DRY", dryMultiplier), ("the base of DRY", dryBase),
      ("the target of mirostat", mirostatTarget), ("the rate of mirostat", mirostatRate),
    ] where value.isNaN {
      throw .invalidOption(name: name, wanted: "a number", found: "\(value)")
    }
    guard dryAllowedLength >= 0 else {
      throw .invalidOption(
        name: "the allowed length of DRY", wanted: "at least 0", found: "\(dryAllowedLength)")
    }
    for bias in logitBiases.values where bias.isNaN || bias == .infinity {
      throw .invalidOption(
        name: "a logit bias", wanted: "a number or minus infinity", found: "\(bias)")
    }
    let known = SamplerRegistry.ordered.map(\.name)
    for name in samplers ?? [] where !known.contains(name) {
      throw .invalidOption(
        name: "the order of samplers", wanted: known.joined(separator: ", "),
        found: name.quotedForMessage)
    }
    guard repeatPenalty > 0 && repeatPenalty.isFinite else {
      throw .invalidOption(
        name: "the repeat penalty", wanted: "a number above 0", found: "\(repeatPenalty)")
    }
  }
}

extension SamplingOptions: Codable {
  /// What is not there has its default.
  public init(from decoder: any Decoder) throws {
    self.init()
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(&temperature, .temperature)
    try values.read(&topK, .topK)
    try values.read(&topP, .topP)
    try values.read(&minP, .minP)
    try values.read(&typicalP, .typicalP)
    try values.read(&topNSigma, .topNSigma)
    try values.read(&xtcProbability, .xtcProbability)
    try values.read(&xtcThreshold, .xtcThreshold)
    try values.read(&dynamicTemperatureRange, .dynamicTemperatureRange)
    try values.read(&dynamicTemperatureExponent, .dynamicTemperatureExponent)
    try values.read(&repeatPenalty, .repeatPenalty)
    try values.read(&presencePenalty, .presencePenalty)
    try values.read(&frequencyPenalty, .frequencyPenalty)
    try values.read(&repeatLastCount, .repeatLastCount)
    try values.read(&dryMultiplier, .dryMultiplier)
    try values.read(&dryBase, .dryBase)
    try values.read(&dryAllowedLength, .dryAllowedLength)
    try values.read(&dryLastCount, .dryLastCount)
    try values.read(&dryBreakers, .dryBreakers)
    try values.read(&logitBiases, .logitBiases)
    try values.read(&mirostat, .mirostat)
    try values.read(&mirostatTarget, .mirostatTarget)
    try values.read(&mirostatRate, .mirostatRate)
    try values.read(&samplers, .samplers)
    try values.read(&seed, .seed)
  }
}
