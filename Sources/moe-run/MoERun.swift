import ArgumentParser
import MoERuntime

/// The command line: its subcommands, one file each in `Commands`.
struct MoERun: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moe-run",
    abstract: "Run Mixture-of-Experts language models in the memory you give them.",
    discussion: """
      Without the name of a subcommand, text is generated:
      moe-run MODEL.gguf -p "Once upon a time"

      Exit codes: 0 success; 1 failure; 64 wrong usage; 130 after Ctrl-C; 141 where standard \
      output was closed early; 143 after SIGTERM.
      """,
    version: "\(RuntimeVersion.text)",
    subcommands: commands, defaultSubcommand: Generate.self)

  private static var commands: [any ParsableCommand.Type] {
    let all: [any ParsableCommand.Type] = [
      Generate.self, Plan.self, Inspect.self, Perplexity.self, Tokenize.self, Bench.self,
      Trace.self, Report.self, Policies.self, Frontier.self, Pack.self, BundleCommands.self,
      Chat.self,
    ]
    #if TLS
      return all + [Serve.self, BatchCommand.self, Pull.self]
    #elseif Server
      return all + [Serve.self, BatchCommand.self]
    #else
      return all
    #endif
  }
}
