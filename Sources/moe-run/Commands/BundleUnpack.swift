import ArgumentParser
import MoECompression
import MoECore
import MoERuntime
import MoEStore

/// `moe-run bundle unpack`: the model's own file again.
struct BundleUnpack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack",
    abstract: "Write the GGUF file that a bundle was packed of, byte for byte.",
    discussion: """
      A bundle that stands beside its model has the experts alone: all else comes from the model. \
      Of one packed with --standalone nothing else is needed. A model of several files is written \
      to as many, NAME-00001-of-00003.gguf and so on.
      """)

  @OptionGroup var argument: BundleArgument

  @Option(
    name: [.customShort("m"), .long],
    help: ArgumentHelp(
      "The model that was packed. (default: beside the bundle, under its name)",
      valueName: "model.gguf"),
    completion: .file(extensions: ["gguf"]))
  var model: String?

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("The file to write.", valueName: "file.gguf"),
    completion: .file(extensions: ["gguf"]))
  var output: String

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp(
      "Worker threads, 1 to 256. (default: one per processor)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...256) })
  var threads: Int?

  @Flag(help: "Replace a file that is there.")
  var force = false

  func run() throws {
    let bundle = try argument.bundle()
    let cancellation = CancellationFlag()
    Interruption.onFirstSignal { cancellation.cancel() }
    let bar = ProgressBar("unpacking", format: ProgressBar.sizes)
    let unpacker: Unpacker
    do throws(PackError) {
      unpacker = try Unpacker(
        bundle, model: try source(of: bundle), to: output, replaces: force,
        threadCount: threads ?? ProcessorCount.current.count, cancellation: cancellation)
      try unpacker.unpack { bar.update($0, $1) }
    } catch {
      bar.erase()
      if case .stopped = error, let signal = Interruption.received {
        StandardError.write("moe-run: \(error)\n")
        throw Failure.interrupted(signal: signal)
      }
      throw Failure.runtime(error.description)
    }
    bar.erase()
    let names = unpacker.paths.joined(separator: ", ")
    try StandardOutput.write("wrote \(names): \(ByteSize(unpacker.byteCount))\n")
  }

  /// Nil where the bundle has all of the model.
  private func source(of bundle: Bundle) throws(PackError) -> PackSource? {
    bundle.isStandalone
      ? nil : try PackSource(modelAt: model ?? Bundle.modelPath(besides: bundle.file.path))
  }
}
