import ArgumentParser
import MoECore

/// `moe-run trace`: what experts tokens take, recorded and looked at.
struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record which experts tokens take, and look at such recordings.",
    discussion: """
      Traces are .moetrace files, or .npz archives with a JSON file beside them; Traces/README.md \
      describes both. 'moe-run generate --trace FILE' records a generation, 'moe-run plan --trace \
      FILE' predicts speed from one.
      """,
    subcommands: [TraceRecord.self, TraceInfo.self, TraceConvert.self, TraceStats.self])
}
