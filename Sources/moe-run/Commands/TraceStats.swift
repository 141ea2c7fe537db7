import ArgumentParser
import MoEAnalysis
import MoECore

/// `moe-run trace stats`: how cacheable a trace's routing is.
struct TraceStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Show a trace's cache hit rates and how tokens share experts.",
    discussion: """
      Each layer has a cache of its own, empty at first and kept from sequence to sequence. A \
      token asks for all its experts of a layer at once; they never evict each other. LRU evicts \
      the least recently used expert, Belady the one used furthest in the future, which is the \
      optimum.

      prev-token reuse: the share of a token's experts that the token before it took, too. \
      popularity reuse: the same if tokens were drawn independently. entropy: of the experts' \
      popularity, 1 where all are used alike.

      between: how far apart a bundle has a token's experts, in the order of their numbers and in \
      one by co-use ('pack --trace'), which every second sequence gives and the others measure.
      """)

  @OptionGroup var file: TraceArgument

  @Option(
    help: ArgumentHelp(
      "Experts that each layer's cache holds. (default: twice those of a token)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 16) })
  var capacity: Int?

  @Option(
    help: ArgumentHelp(
      "Distances in tokens at which selections are compared. (default: 1,2,4,8,16,32,64)",
      valueName: "n,..."),
    transform: { try FlagValue.list($0) { try FlagValue.integer($0, in: 1...1 << 24) } })
  var lags = [1, 2, 4, 8, 16, 32, 64]

  @Flag(help: "Write the figures as JSON.")
  var json = false

  func run() throws {
    let trace = try file.trace()
    if let capacity, capacity < trace.expertsPerToken {
      throw Failure.usage(
        "--capacity is \(capacity), but a token takes \(trace.expertsPerToken) experts; give at "
          + "least as many")
    }
    let report = TraceStatisticsReport(trace, path: file.path, capacity: capacity, lags: lags)
    try StandardOutput.write(json ? JSONReport.text(report) : report.text)
  }
}
