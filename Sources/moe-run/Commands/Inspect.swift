import ArgumentParser
import MoERuntime

/// `moe-run inspect`: what is in a model file.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a model file's metadata, tensors and experts; reads no weights.",
    discussion: "Works for models that cannot be run here, too, and says why not.")

  @OptionGroup(title: "Model") var model: ModelOptions

  @Flag(help: "Write everything as JSON.")
  var json = false

  func run() throws {
    let report = InspectionReport(try ModelInspection(path: model.path()))
    try StandardOutput.write(json ? JSON.text(report) : report.text)
  }
}
