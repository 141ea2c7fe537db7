import ArgumentParser

/// The command line: parses the arguments, runs a subcommand, and ends with its exit code.
@main
struct MoERun: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moe-run",
    abstract: "Run Mixture-of-Experts language models in the memory you give them.",
    discussion: """
      Without the name of a subcommand, text is generated: moe-run MODEL.gguf -p "Once upon a time"

      Exit codes: 0 success; 1 failure; 64 wrong usage; 130 after Ctrl-C; 141 where standard output \
      was closed early; 143 after SIGTERM.
      """,
    subcommands: [
      Generate.self, Plan.self,
    ],
    defaultSubcommand: Generate.self)

  static func main() async {
    Interruption.install()
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      end(reporting: error)
    }
  }
}
