import ArgumentParser
import MoEAnalysis
import MoECore

/// `moe-run trace info`: what a trace says of itself.
struct TraceInfo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show what a routing trace is of and what it holds.")

  @OptionGroup var file: TraceArgument

  @Flag(help: "Write everything as JSON.")
  var json = false

  func run() throws {
    let report = TraceReport(try file.trace(), path: file.path)
    try StandardOutput.write(json ? JSONReport.text(report) : report.text)
  }
}

/// The trace that a subcommand works on.
struct TraceArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The trace: a .moetrace file or an .npz archive.", valueName: "trace"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var path: String

  func trace() throws(Failure) -> RoutingTrace { try Self.trace(at: path) }

  static func trace(at path: String) throws(Failure) -> RoutingTrace {
    do {
      return try RoutingTrace(contentsOf: path)
    } catch {
      throw .runtime(error.description)
    }
  }
}
