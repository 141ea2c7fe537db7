import ArgumentParser

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Parses the arguments, runs a subcommand, and ends with its exit code.
@main
enum Main {
  /// Subcommands run as a task: an asynchronous `main` would give the main thread to the dispatch
  /// library, which lets signals through to it.
  static func main() {
    Interruption.install()
    OutOfMemoryOffer.make()
    Task.detached { await run() }
    Interruption.wait()
  }

  private static func run() async -> Never {
    do {
      var command = try MoERun.parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      end(reporting: error)
    }
    exit(0)
  }
}
