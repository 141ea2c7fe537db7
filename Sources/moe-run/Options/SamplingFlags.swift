import ArgumentParser
import MoERuntime

/// How tokens are drawn, under llama.cpp's names and with its defaults.
struct SamplingFlags: ParsableArguments {
  private static let defaults = SamplingOptions()

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Temperature; 0: always the most probable token. "
        + "(default: \(defaults.temperature))", valueName: "t"),
    transform: { try FlagValue.number($0, in: 0 ... .infinity) })
  var temp = defaults.temperature

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from this many of the most probable tokens; 0: all. "
        + "(default: \(defaults.topK))", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 0 ... .max) })
  var topK = defaults.topK

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from the most probable tokens that together have this probability; 1: all. "
        + "(default: \(defaults.topP))",
      valueName: "p"),
    transform: { try FlagValue.number($0, in: 0...1) })
  var topP = defaults.topP

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from tokens at least this fraction as probable as the most probable; 0: all. "
        + "(default: \(defaults.minP))",
      valueName: "p"),
    transform: { try FlagValue.number($0, in: 0...1) })
  var minP = defaults.minP

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Makes recent tokens less probable; 1: off. "
        + "(default: \(defaults.repeatPenalty))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .infinity, isOpen: true) })
  var repeatPenalty = defaults.repeatPenalty

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many of the latest tokens the penalty looks at; -1: all. "
        + "(default: \(defaults.repeatLastCount))", valueName: "n"),
    transform: { try FlagValue.integer($0, in: -1 ... .max) })
  var repeatLastN = defaults.repeatLastCount

  @Option(
    name: [.customLong("typical")], parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from the tokens about as surprising as expected, up to this probability; 1: all. "
        + "(default: \(defaults.typicalP))", valueName: "p"),
    transform: { try FlagValue.number($0, in: 0...1) })
  var typicalP = defaults.typicalP

  @Option(
    name: [.customLong("top-nsigma"), .customLong("top-n-sigma")], parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from logits at most so many standard deviations below the largest; 0 or less: all. "
        + "(default: \(defaults.topNSigma))", valueName: "n"),
    transform: { try FlagValue.number($0, in: -.infinity ... .infinity) })
  var topNSigma = defaults.topNSigma

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How often the most probable tokens are dropped, but for one; 0: never. "
        + "(default: \(defaults.xtcProbability))", valueName: "p"),
    transform: { try FlagValue.number($0, in: 0...1) })
  var xtcProbability = defaults.xtcProbability

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "From which probability on tokens are dropped so; above 0.5: none. "
        + "(default: \(defaults.xtcThreshold))", valueName: "p"),
    transform: { try FlagValue.number($0, in: 0...1) })
  var xtcThreshold = defaults.xtcThreshold

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Lets the temperature go so far down and up by how sure the model is; 0: it stays. "
        + "(default: \(defaults.dynamicTemperatureRange))", valueName: "t"),
    transform: { try FlagValue.number($0, in: 0 ... .infinity) })
  var dynatempRange = defaults.dynamicTemperatureRange

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The exponent of that. (default: \(defaults.dynamicTemperatureExponent))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .infinity) })
  var dynatempExp = defaults.dynamicTemperatureExponent

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Taken from the logits of recent tokens, once each. "
        + "(default: \(defaults.presencePenalty))", valueName: "x"),
    transform: { try FlagValue.number($0, in: -.greatestFiniteMagnitude ... .infinity) })
  var presencePenalty = defaults.presencePenalty

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Taken from the logits of recent tokens for each time that they are there. "
        + "(default: \(defaults.frequencyPenalty))", valueName: "x"),
    transform: { try FlagValue.number($0, in: -.greatestFiniteMagnitude ... .infinity) })
  var frequencyPenalty = defaults.frequencyPenalty

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much tokens lose that would go on with a repetition (DRY); 0: nothing. "
        + "(default: \(defaults.dryMultiplier))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .greatestFiniteMagnitude) })
  var dryMultiplier = defaults.dryMultiplier

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "By which factor that grows with each token of the repetition. "
        + "(default: \(defaults.dryBase))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .greatestFiniteMagnitude) })
  var dryBase = defaults.dryBase

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens that may be repeated for nothing. (default: \(defaults.dryAllowedLength))",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: 0 ... .max) })
  var dryAllowedLength = defaults.dryAllowedLength

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many of the latest tokens count for repetitions; -1: all. "
        + "(default: \(defaults.dryLastCount))", valueName: "n"),
    transform: { try FlagValue.integer($0, in: -1 ... .max) })
  var dryPenaltyLastN = defaults.dryLastCount

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A text past which repetitions do not go, or none; repeatable. "
        + "(default: line break, colon, quotation mark, asterisk)", valueName: "text"))
  var drySequenceBreaker: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "2: keep the text's surprise about the same (Mirostat 2.0), in place of the ways above; 0: "
        + "off. (default: 0)", valueName: "n"),
    transform: { try FlagValue.name($0, among: ["0", "2"]) })
  var mirostat = "0"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "That surprise, in bits. (default: \(defaults.mirostatTarget))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .greatestFiniteMagnitude) })
  var mirostatEnt = defaults.mirostatTarget

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How fast it is corrected. (default: \(defaults.mirostatRate))", valueName: "x"),
    transform: { try FlagValue.number($0, in: 0 ... .greatestFiniteMagnitude) })
  var mirostatLr = defaults.mirostatRate

  @Option(
    name: [.customShort("l"), .long], parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Makes a token more or less probable, such as 15043+1 or 15043-inf; repeatable.",
      valueName: "id+x"),
    transform: Self.bias)
  var logitBias: [TokenBias] = []

  @Option(
    help: ArgumentHelp(
      "The ways above in the order in which they are applied, those not named left out: "
        + samplerNames.joined(separator: ";") + ". (default: that order)", valueName: "a;b;..."),
    transform: Self.samplers)
  var samplers: SamplerOrder?

  /// Names of samplers.
  struct SamplerOrder: Sendable {
    let names: [String]
  }

  private static let samplerNames = SamplingOptions.samplerNames

  private static func bias(_ text: String) throws -> TokenBias {
    guard let bias = TokenBias(parsing: text) else {
      throw ValidationError("give \(TokenBias.wanted)")
    }
    return bias
  }

  private static func samplers(_ text: String) throws -> SamplerOrder {
    let names = text.split(separator: ";", omittingEmptySubsequences: true).map(String.init)
    for name in names where !samplerNames.contains(name) {
      throw ValidationError("give some of \(samplerNames.joined(separator: ";"))")
    }
    return SamplerOrder(names: names)
  }

  @Option(
    name: [.customShort("s"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "The same seed and flags give the same text; -1: drawn anew. (default: -1)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: -1 ... .max) })
  var seed = -1

  /// The options, with a seed drawn where none was given, so that it can be reported.
  func samplingOptions() -> SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temp
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repeatPenalty = repeatPenalty
    options.repeatLastCount = repeatLastN
    options.typicalP = typicalP
    options.topNSigma = max(0, topNSigma)
    (options.xtcProbability, options.xtcThreshold) = (xtcProbability, xtcThreshold)
    (options.dynamicTemperatureRange, options.dynamicTemperatureExponent) = (
      dynatempRange, dynatempExp
    )
    (options.presencePenalty, options.frequencyPenalty) = (presencePenalty, frequencyPenalty)
    (options.dryMultiplier, options.dryBase) = (dryMultiplier, dryBase)
    (options.dryAllowedLength, options.dryLastCount) = (dryAllowedLength, dryPenaltyLastN)
    if !drySequenceBreaker.isEmpty {
      options.dryBreakers = drySequenceBreaker.filter { $0 != "none" }
    }
    options.mirostat = mirostat == "2"
    (options.mirostatTarget, options.mirostatRate) = (mirostatEnt, mirostatLr)
    for bias in logitBias { options.logitBiases[bias.token, default: 0] += bias.bias }
    options.samplers = samplers?.names
    options.seed = UInt64(exactly: seed) ?? UInt64(UInt32.random(in: .min ... .max))
    return options
  }
}
