import ArgumentParser
import MoECompression

/// How a model is written in other formats.
struct QuantizationFlags: ParsableArguments {
  enum Method: String, CaseIterable, ExpressibleByArgument {
    case gptq, rtn
  }

  private static let names = BlockEncoderRegistry.all.map(\.name)

  @Option(
    help: ArgumentHelp(
      "The format of the experts: " + names.joined(separator: ", ") + ".", valueName: "format"),
    transform: { try FlagValue.name($0, among: names) })
  var quantize: String?

  @Option(
    help: ArgumentHelp(
      "The format of the other matrices, attention apart. (default: as they are)",
      valueName: "format"),
    transform: { try FlagValue.name($0, among: names) })
  var dense: String?

  @Option(
    help: ArgumentHelp("The format of attention. (default: as it is)", valueName: "format"),
    transform: { try FlagValue.name($0, among: names) })
  var attention: String?

  @Option(
    help: ArgumentHelp(
      "How experts are rounded: gptq (so that what they give for a calibration text changes least; "
        + "arXiv 2210.17323, 2310.16795) or rtn (to the nearest values). (default: gptq)",
      valueName: "how"))
  var method = Method.gptq

  @Option(
    help: ArgumentHelp(
      "A file with the calibration text. (default: one that comes with the program)",
      valueName: "file"),
    completion: .file())
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "Tokens of that text that are used at most. (default: 8192)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var calibrationTokens = 8192

  var isGiven: Bool { quantize != nil }

  func validate() throws {
    if quantize == nil, dense != nil || attention != nil || calibration != nil {
      throw ValidationError("--dense, --attention and --calibration want --quantize")
    }
  }

  func mix() -> QuantizationMix {
    var mix = QuantizationMix()
    mix.experts = quantize.flatMap(BlockEncoderRegistry.entry(named:))
    mix.dense = dense.flatMap(BlockEncoderRegistry.entry(named:))
    mix.attention = attention.flatMap(BlockEncoderRegistry.entry(named:))
    return mix
  }
}
