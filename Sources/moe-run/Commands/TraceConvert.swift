import ArgumentParser
import MoEAnalysis
import MoECore

/// `moe-run trace convert`: from one kind of file to the other.
struct TraceConvert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Convert a routing trace between .moetrace and .npz.",
    discussion: """
      What a trace is converted to is told by the ending of the second name; what it is, by its \
      content. Beside a.npz stands a.json, which says what the trace is of; files that are there \
      are replaced.
      """)

  @OptionGroup var file: TraceArgument

  @Argument(
    help: ArgumentHelp(
      "The new trace; its ending is .moetrace or .npz.", valueName: "new trace"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var output: String

  func validate() throws {
    guard output.hasSuffix(".moetrace") || output.hasSuffix(".npz") else {
      throw ValidationError("the new trace '\(output)' must end in .moetrace or .npz")
    }
  }

  func run() throws {
    do {
      try file.trace().write(to: output)
    } catch let error as RoutingTraceWriteError {
      throw Failure.runtime(error.description)
    }
  }
}
