import ArgumentParser
import MoEAnalysis
import MoERuntime

/// What a plan predicts, and from which figures.
struct PredictionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Measuring the machine, in at most 10 seconds: fresh (now), cached (where no figures are "
        + "kept from before) or none (no prediction). (default: cached)", valueName: "when"),
    transform: { try FlagValue.name($0, among: ProbeMode.allCases.map(\.rawValue)) })
  var probe = ProbeMode.cached.rawValue

  @Option(
    help: ArgumentHelp(
      "Tokens of the prompt that is predicted, and the position of decoding. (default: 512, or "
        + "the context)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var promptTokens: Int?

  @Option(
    help: ArgumentHelp(
      "A recorded routing trace of the model (.moetrace or .npz), which the expert cache is "
        + "replayed over.", valueName: "file"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var trace: String?

  @Option(
    help: ArgumentHelp(
      "The share of expert requests found in memory, 0 to 1, in place of an assumption.",
      valueName: "x"),
    transform: { Double(try FlagValue.number($0, in: 0...1)) })
  var hitRate: Double?

  func validate() throws {
    if trace != nil && hitRate != nil {
      throw ValidationError("give --trace or --hit-rate, not both: a trace has its own hit rate")
    }
    if probe == ProbeMode.none.rawValue {
      let others = [
        ("--trace", trace != nil), ("--hit-rate", hitRate != nil),
        ("--prompt-tokens", promptTokens != nil),
      ]
      if let (name, _) = others.first(where: \.1) {
        throw ValidationError("\(name) has no meaning with --probe none, which predicts nothing")
      }
    }
  }

  var mode: ProbeMode { ProbeMode(rawValue: probe) ?? .cached }

  /// Whether the command line asks for a prediction.
  var isAsked: Bool {
    trace != nil || hitRate != nil || promptTokens != nil || mode == .fresh
  }
}
