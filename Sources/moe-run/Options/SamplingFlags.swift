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
    options.seed = UInt64(exactly: seed) ?? UInt64(UInt32.random(in: .min ... .max))
    return options
  }
}
