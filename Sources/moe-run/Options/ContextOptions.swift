import ArgumentParser

/// How long a sequence may get.
struct ContextOptions: ParsableArguments {
  @Option(
    name: [.customShort("c"), .long],
    help: ArgumentHelp(
      "Positions to hold keys and values for. (default: the model's own, at most 4096)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var ctxSize: Int?
}
