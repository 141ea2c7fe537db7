import ArgumentParser
import FoundationEssentials
import MoEAnalysis
import MoECache

/// `moe-run policies`: what each cache policy would hit on recorded routing.
struct Policies: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare the cache policies on recorded routing traces.",
    discussion: """
      Replays each trace (.moetrace or .npz) with the engine's own code, in pools of several \
      sizes for all layers together. Hit rates are in percent of all requests, first uses \
      included; behind them, in percent, how much of the way from LRU to the optimum with even \
      shares that is. A folder \
      stands for the traces in it. The tables are Markdown.
      """)

  @Argument(
    help: ArgumentHelp("Routing traces, or folders of them.", valueName: "trace"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var traces: [String]

  @Option(
    help: ArgumentHelp(
      "Sizes of the pool, in experts that one token uses in all layers, with commas between.",
      valueName: "x,…"),
    transform: { try Self.multiples($0) })
  var pools: [Double] = [1, 1.5, 2, 3, 4]

  @Option(
    help: ArgumentHelp(
      "Only these policies, with commas between. (default: all)", valueName: "name,…"),
    transform: { text in
      try FlagValue.list(text) { try FlagValue.name($0, among: PolicyRegistry.all.map(\.name)) }
    })
  var only: [String]?

  @Option(
    help: ArgumentHelp(
      "The part of an even division of the slots that each layer keeps, 0 to 1. (default: what "
        + "suits the policy)", valueName: "share"),
    transform: { Double(try FlagValue.number($0, in: 0...1)) })
  var floorShare: Double?

  private static func multiples(_ text: String) throws -> [Double] {
    try FlagValue.list(text) { Double(try FlagValue.number($0, in: 1...1024)) }
  }

  func run() throws {
    let policies = PolicyRegistry.all.filter { only?.contains($0.name) ?? true }
    for path in try traces.flatMap(files) {
      let trace = try TraceArgument.trace(at: path)
      let name = path.split(separator: "/").last.map(String.init) ?? path
      let comparison = try Self.comparison(
        trace, name: name, pools: pools, policies: policies, floorShare: floorShare)
      try StandardOutput.write(
        "### \(name)\n\n\(trace.tokenCount) tokens, \(trace.layerCount) layers, "
          + "\(trace.expertsPerToken) of \(trace.expertCount) experts; pools in token's uses\n\n"
          + comparison.markdown + "\n")
    }
  }

  private static func comparison(
    _ trace: RoutingTrace, name: String, pools: [Double], policies: [PolicyEntry],
    floorShare: Double?
  ) throws(Failure) -> PolicyComparison {
    do {
      return try PolicyComparison(
        trace, name: name, expertCount: trace.expertCount, multiples: pools, policies: policies,
        floorShare: floorShare)
    } catch {
      throw .runtime("\(name): \(error.description)")
    }
  }

  /// A file, or the traces in a folder by name.
  private func files(_ path: String) throws -> [String] {
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder else {
      return [path]
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
      .filter { $0.hasSuffix(".npz") || $0.hasSuffix(".moetrace") }.sorted()
    guard !names.isEmpty else {
      throw Failure.runtime(
        "\(path) holds no routing trace: give a folder of .moetrace or .npz files")
    }
    return names.map { path + (path.hasSuffix("/") ? "" : "/") + $0 }
  }
}
