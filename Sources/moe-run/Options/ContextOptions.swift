import ArgumentParser

/// How long a sequence may get.
struct ContextOptions: ParsableArguments {
  @Option(
    name: [.customShort("c"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "Positions to hold keys and values for; 0: the model's own. (default: the model's own, at "
        + "most 4096, and down to 1024 where only so many fit)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 0...1 << 24) })
  var ctxSize: Int?
}
