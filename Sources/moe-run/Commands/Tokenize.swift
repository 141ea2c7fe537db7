import ArgumentParser
import MoECore
import MoERuntime
import MoETokenizer

/// `moe-run tokenize`: a text's tokens.
struct Tokenize: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the tokens of a text; reads only the model's header.",
    discussion: "One token per line: its id and its text.")

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Text") var prompt: PromptOptions

  @OptionGroup(title: "Text") var special: SpecialTokenOptions

  @Flag(help: "Write the ids alone, on one line.")
  var ids = false

  @Flag(help: "Write the tokens as JSON.")
  var json = false

  @Flag(
    help: "Do not add the tokens that the model begins or ends with.")
  var noSpecial = false

  func validate() throws {
    if ids && json { throw ValidationError("give --ids or --json, not both") }
  }

  func run() async throws {
    let header = try await model.header()
    let text = try prompt.text()
    let tokenizer = try header.read { path throws(EngineError) in
      try Engine.tokenizer(ofModelAt: path)
    }
    let tokens = tokenizer.encode(text, addSpecial: !noSpecial, parseSpecial: special.parsesSpecial)
    let report = TokenReport(tokens, tokenizer: tokenizer)
    try StandardOutput.write(
      json ? JSONReport.text(report) : ids ? report.idLine : report.lines)
  }
}
