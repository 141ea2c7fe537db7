import ArgumentParser
import MoECompression
import MoECore
import MoEKernels
import MoERuntime
import MoEStore

/// `moe-run pack`: a model's experts once more, coded.
struct Pack: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a bundle of a model's experts, coded; or the model in other formats.",
    discussion: """
      A bundle beside its model, under the model's name with .moebundle in place of .gguf, is used \
      by every other command. A few experts are coded first, to say what a bundle would gain on \
      this disk; where that is nothing, none is written unless --force is given. With --standalone \
      the bundle has all of the model and takes the place of its files.

      With --quantize a model file is written instead, its experts in another format; with \
      --quantize ternary a bundle that has experts of three values in place of the model's, for \
      which --bundle asks.

      An interrupted run leaves a file that ends in .part, which the same command goes on with.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp(
      "The bundle. (default: beside the model, where it is found)", valueName: "file"),
    completion: .file(extensions: ["moebundle"]))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "How experts are coded: auto (zstd in the layers where it pays); "
        + CodecRegistry.all.map { "\($0.name) (\(summary: $0.summary))" }.joined(separator: "; ")
        + ". (default: auto)", valueName: "name"),
    transform: { try FlagValue.name($0, among: ["auto"] + CodecRegistry.all.map(\.name)) })
  var codec = "auto"

  @Option(
    help: ArgumentHelp(
      "Also write copies of all experts in a format of fewer bits, which --low-resident holds in "
        + "memory: " + BlockEncoderRegistry.all.map(\.name).joined(separator: ", ") + ".",
      valueName: "format"),
    transform: { try FlagValue.name($0, among: BlockEncoderRegistry.all.map(\.name)) })
  var low: String?

  @Flag(
    help: ArgumentHelp(
      "Have all of the model in the bundle, which is then run by itself: the model's files may go.")
  )
  var standalone = false

  @Option(
    help: ArgumentHelp(
      "Have experts that a trace's tokens take together close to each other in the bundle; "
        + "'trace record' writes such a file. (default: by number)", valueName: "trace"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var trace: String?

  @OptionGroup(title: "Other formats") var quantization: QuantizationFlags

  @Option(
    help: ArgumentHelp("Layers to pack, such as 0-15. (default: all)", valueName: "first-last"),
    transform: Self.layers)
  var layers: ClosedRange<Int>?

  @Option(
    help: ArgumentHelp(
      "All that the process may hold. (default: as much as it takes)", valueName: "size"),
    transform: FlagValue.size)
  var memory: SizeSpecification?

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp(
      "Worker threads, 1 to 256. (default: one per processor)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...256) })
  var threads: Int?

  @Flag(help: "Write the bundle even where it gains nothing.")
  var force = false

  @Flag(help: "Say what a bundle would gain, and write none.")
  var dryRun = false

  private static func layers(_ text: String) throws -> ClosedRange<Int> {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
      first >= 0, first <= last
    else { throw ValidationError("give the first and the last layer, such as 0-15") }
    return first...last
  }

  func validate() throws {
    if quantization.isGiven, standalone || trace != nil {
      throw ValidationError("--standalone and --trace are for bundles, not for --quantize")
    }
    let isOfTernary = CodecRegistry.entry(named: codec)?.takes(.ternary) == true
    let isOfFiles = CodecRegistry.entry(named: codec)?.takes(QuantFormat.all[0]) != false
    if quantization.isTernary {
      if !isOfTernary && codec != "auto" {
        throw ValidationError("codec \(codec) keeps no ternary weights; give ternary or qmoe")
      }
      if low != nil {
        throw ValidationError("--low makes copies of a model's experts; leave out --quantize")
      }
    } else if !isOfFiles {
      throw ValidationError(
        "codec \(codec) keeps ternary weights alone; add --quantize ternary, which changes answers")
    }
  }

  func run() async throws {
    let path = try await model.path()
    let cancellation = CancellationFlag()
    Interruption.onFirstSignal { cancellation.cancel() }
    do {
      if quantization.isTernary {
        try await packTernary(path, cancellation)
      } else if quantization.isGiven {
        try await quantize(path, cancellation)
      } else {
        try pack(path, cancellation)
      }
    } catch QuantizeError.cancelled {
      try Interruption.check()
    } catch let error as QuantizeError {
      throw Failure.runtime(error.description)
    } catch let error as PackError {
      if case .cancelled = error, let signal = Interruption.received {
        StandardError.write("moe-run: \(error)\n")
        throw Failure.interrupted(signal: signal)
      }
      throw Failure.runtime(error.description)
    }
  }

  private func pack(_ path: String, _ cancellation: CancellationFlag) throws {
    let source = try PackSource(modelAt: path)
    // In a bundle nobody would see any more that what reads as zeros was never written.
    if let hole = try ModelInspection(path: path).hole { throw Failure.runtime(hole.description) }
    let output = output ?? Bundle.path(besides: source.files[0].path)
    let isAutomatic = codec == "auto"
    let entry = CodecRegistry.entry(named: codec) ?? CodecRegistry.zstd
    let threadCount = threads ?? ProcessorCount.current.count
    let memoryByteCount = memory?.byteCount(of: source.byteCount(ofLayers: source.routedLayers))
    let copies = try low.flatMap(BlockEncoderRegistry.entry(named:)).map {
      LowCopy.nearest(
        $0, quantizer: MatrixQuantizer(team: try WorkerTeam(workerCount: threadCount)))
    }
    let order = try trace.map { try PackOrder(traceAt: $0, of: source) }
    var packer = try Packer(
      source, to: output, codec: entry, layers: layers, low: copies, isStandalone: standalone,
      order: order?.experts ?? [:], threadCount: threadCount, memoryByteCount: memoryByteCount,
      cancellation: cancellation)
    let samples = try packer.samples()
    let forecast = try PackForecast(
      samples, of: packer, modelAt: path, isAutomatic: isAutomatic,
      memoryByteCount: memoryByteCount)
    try StandardOutput.write(forecast.text + (order?.text ?? ""))
    if !forecast.pays && entry.id != CodecRegistry.none.id && !force && low == nil {
      return try StandardOutput.write(
        "not packed: it would gain nothing here (--force packs all the same)\n")
    }
    if dryRun { return }
    if isAutomatic, !force { packer = try packer.limited(to: forecast.layersThatPay) }
    try write(packer, expectedByteCount: forecast.byteCount(of: packer.layers))
  }

  /// Writes a bundle and says so.
  func write(_ packer: Packer, expectedByteCount: Int) throws {
    let bar = ProgressBar("packing", format: ProgressBar.sizes)
    let start = MonotonicClock.nanoseconds()
    let result = try packer.pack(expectedByteCount: expectedByteCount) { bar.update($0, $1) }
    bar.erase()
    let seconds = Double(MonotonicClock.nanoseconds() - start) * 1e-9
    let resumed =
      result.resumedCount > 0 ? ", \(result.resumedCount) of them by an earlier run" : ""
    try StandardOutput.write(
      "wrote \(packer.path): \(result.expertCount) experts\(resumed)"
        + (standalone ? " and the rest of the model" : "") + ", \(ByteSize(result.byteCount)) in "
        + "\(Int(seconds.rounded())) s\n")
  }
}
