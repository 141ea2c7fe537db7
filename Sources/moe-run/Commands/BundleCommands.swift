import ArgumentParser
import MoECompression
import MoECore
import MoERuntime
import MoEStore

/// `moe-run bundle`: what is in a bundle, whether it is sound, and the model's file of it again.
struct BundleCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle",
    abstract: "Look at bundles of experts, as 'pack' writes them, check them, unpack them.",
    subcommands: [BundleInfo.self, BundleVerify.self, BundleUnpack.self])
}

/// The file, and what its table says.
struct BundleArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The bundle.", valueName: "file.moebundle"),
    completion: .file(extensions: ["moebundle"]))
  var path: String

  func bundle() throws(Failure) -> Bundle {
    do {
      return try Bundle(path: path)
    } catch {
      throw .runtime(error.description)
    }
  }
}

struct BundleInfo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show what a bundle has of each layer.")

  @OptionGroup var argument: BundleArgument

  func run() throws {
    let bundle = try argument.bundle()
    try StandardOutput.write(BundleReport.text(bundle))
  }
}

struct BundleVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Read and decode all of a bundle; exit with 1 where something is damaged.",
    discussion: "With a model, each expert that is not ternary is also compared with its own.")

  @OptionGroup var argument: BundleArgument

  @Option(
    name: [.customShort("m"), .long],
    help: ArgumentHelp("The model that was packed.", valueName: "model.gguf"),
    completion: .file(extensions: ["gguf"]))
  var model: String?

  func run() throws {
    let bundle = try argument.bundle()
    let bar = ProgressBar("checking")
    let damaged: [ExpertID]
    let damagedRanges: [FileExtent]
    do throws(PackError) {
      let check = try BundleCheck(bundle, threadCount: ProcessorCount.current.count)
      let source = try model.map { path throws(PackError) in
        let source = try PackSource(modelAt: path)
        try source.check(isOf: bundle)
        return source
      }
      damaged = try check.damaged(comparedWith: source) { bar.update($0, $1) }
      bar.erase()
      let rest = ProgressBar("checking the rest", format: ProgressBar.sizes)
      defer { rest.erase() }
      damagedRanges = try check.damagedRanges(comparedWith: source) { rest.update($0, $1) }
    } catch {
      bar.erase()
      throw Failure.runtime(error.description)
    }
    guard let first = damaged.first else { return try say(damagedRanges, of: bundle) }
    let more = damaged.count > 1 ? ", and \(damaged.count - 1) more" : ""
    throw Failure.runtime(
      "\(bundle.file.path): expert \(first.index) of layer \(first.layer) is damaged\(more); pack "
        + "the model again")
  }

  /// What there is to say of a bundle whose experts are sound.
  private func say(_ damaged: [FileExtent], of bundle: Bundle) throws {
    let comparison =
      model == nil
      ? "" : bundle.isTernary ? "; ternary ones are not the model's" : " and equal to the model's"
    let rest = bundle.isStandalone ? " and the rest of the model" : ""
    guard let first = damaged.first else {
      return try StandardOutput.write(
        "\(bundle.file.path): all \(bundle.recordCount) experts\(rest) are sound\(comparison)\n")
    }
    let file = bundle.marks.count > 1 ? " of file \(first.fileIndex + 1)" : ""
    let more = damaged.count > 1 ? ", and \(damaged.count - 1) more runs of bytes" : ""
    throw Failure.runtime(
      "\(bundle.file.path): what it has of the model from byte \(first.offset)\(file) on is "
        + "damaged\(more); pack the model again")
  }
}
