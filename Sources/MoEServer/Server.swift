public import Logging
public import MoERuntime

/// Serves one model over HTTP: OpenAI's interface, Anthropic's messages and llama-server's.
///
///     let server = Server(ServerOptions(), logger: Logger(label: "server"))
///     try await server.run { try await Engine(modelAt: path, options: options) }
///
/// The port is open at once; requests for the model are answered 503 until it is loaded.
public struct Server: Sendable {
  let options: ServerOptions
  let logger: Logger
  package var hooks = ServerHooks()

  /// - Parameter logger: Gets a line for each request, at level `info`.
  public init(_ options: ServerOptions, logger: Logger) {
    self.options = options
    self.logger = logger
  }

  /// Serves until the task is cancelled: no more requests are taken then, those that are running
  /// may finish for `ServerOptions.drainSeconds`, and what is left is cancelled.
  ///
  /// - Parameters:
  ///   - loading: Makes the engine, while the port is open already.
  ///   - listening: Called once the port is open, with its number.
  /// - Throws: `ServerError` where the port can't be opened, and what `loading` threw.
  public func run(
    loading: @escaping @Sendable () async throws -> Engine,
    listening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
  ) async throws {
    try options.check()
    try await ServerRun(self, loading: loading, listening: listening).run()
  }
}
