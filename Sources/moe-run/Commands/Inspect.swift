import ArgumentParser
import MoECore
import MoERuntime

/// `moe-run inspect`: what is in a model file.
struct Inspect: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Show a model file's metadata, tensors and experts; reads no weights without --check.",
    discussion: "Works for models that cannot be run here, too, and says why not.")

  @OptionGroup(title: "Model") var model: ModelOptions

  @Flag(help: "Also read all weights, and exit with 1 where some are not finite numbers.")
  var check = false

  @Flag(help: "Write everything as JSON.")
  var json = false

  /// More say no more.
  private static let damageCountMax = 20

  func run() async throws {
    let header = check ? ModelHeader(path: try await model.path()) : try await model.header()
    var report = InspectionReport(
      try header.read { path throws(EngineError) in try ModelInspection(path: path) }, header)
    if check {
      report.damaged = try DamagedWeight.all(
        inModelAt: header.path, countMax: Self.damageCountMax
      ).map(\.description)
    }
    try StandardOutput.write(json ? JSONReport.text(report) : report.text)
    if let first = report.damaged?.first { throw Failure.runtime(first) }
  }
}
