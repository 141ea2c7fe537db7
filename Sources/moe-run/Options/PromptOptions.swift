import ArgumentParser

/// Where the text comes from.
struct PromptOptions: ParsableArguments {
  @Option(
    name: [.customShort("p"), .long], parsing: .unconditional,
    help: ArgumentHelp("The text.", valueName: "text"))
  var prompt: String?

  @Option(
    name: [.customShort("f"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "A file with the text, UTF-8; -: standard input. (default: standard input, where it is no "
        + "terminal)", valueName: "file"),
    completion: .file())
  var file: String?

  func text() throws(Failure) -> String {
    switch (prompt, file) {
    case (let prompt?, nil): return prompt
    case (nil, "-"): return try InputText.standardInput()
    case (nil, let file?): return try InputText.file(file)
    case (_?, _?): throw .usage("give the text with -p or with -f, not with both")
    case (nil, nil):
      guard !InputText.isTerminal else {
        throw .usage("give a text with -p TEXT or -f FILE, or on standard input")
      }
      let text = try InputText.standardInput()
      guard !text.isEmpty else {
        throw .usage("standard input is empty; give a text there, or with -p TEXT or -f FILE")
      }
      return text
    }
  }
}
