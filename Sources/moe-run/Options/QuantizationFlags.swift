import ArgumentParser
import MoECompression
import MoECore

/// How a model is written in other formats.
struct QuantizationFlags: ParsableArguments {
  enum Method: String, CaseIterable, ExpressibleByArgument {
    case gptq, rtn
  }

  private static let names = BlockEncoderRegistry.all.map(\.name)
  static let ternary = "ternary"

  @Option(
    help: ArgumentHelp(
      "The format of the experts: " + names.joined(separator: ", ")
        + "; or \(ternary) (three values a row), which a bundle has in their place.",
      valueName: "format"),
    transform: { try FlagValue.name($0, among: names + [ternary]) })
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

  @Option(
    help: ArgumentHelp(
      "Pick the formats so that the file fits, such as 8G or 40% of it: experts first, each "
        + "layer's by what it loses on the calibration text, attention last.",
      valueName: "size"),
    transform: FlagValue.size)
  var size: SizeSpecification?

  @Option(
    help: ArgumentHelp(
      "Leave out the experts that the calibration text uses least: how many stay in each layer, as "
        + "one number, one for each layer with experts (48,48,32), or schedule:B,H,E,P, which goes "
        + "on straight lines from B in the first to H in the Pth and E in the last "
        + "(arXiv 2505.03531).",
      valueName: "n"),
    transform: KeptExperts.init)
  var keepExperts: KeptExperts?

  @Option(
    help: ArgumentHelp(
      "What tells how much an expert is used: soft (the sum of its weights) or hard (how often it "
        + "is taken). (default: soft)", valueName: "counts"))
  var keepBy = Counts.soft

  enum Counts: String, CaseIterable, ExpressibleByArgument {
    case soft, hard
  }

  var isGiven: Bool { quantize != nil || size != nil || keepExperts != nil }

  /// Whether experts become ternary: then a bundle is written, and no model file.
  var isTernary: Bool { quantize == Self.ternary }

  /// The first of the flags that ask for another model file.
  var givenFlag: String {
    quantize != nil ? "--quantize" : size != nil ? "--size" : "--keep-experts"
  }

  /// Whether a text has to be read to know what to write.
  var wantsCalibration: Bool {
    size != nil || keepExperts != nil || quantize != nil && method == .gptq
  }

  func validate() throws {
    if quantize == nil, dense != nil || attention != nil {
      throw ValidationError("--dense and --attention want --quantize")
    }
    if quantize != nil, size != nil {
      throw ValidationError("give --quantize with a format, or --size, which picks formats itself")
    }
    if !isGiven, calibration != nil {
      throw ValidationError("--calibration wants --quantize, --size or --keep-experts")
    }
    if isTernary, keepExperts != nil {
      throw ValidationError(
        "--keep-experts writes another model file; leave it out, or quantize what it has written")
    }
    if isTernary, dense != nil || attention != nil {
      throw ValidationError(
        "--quantize ternary writes a bundle, which has experts alone; leave out --dense and "
          + "--attention")
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
