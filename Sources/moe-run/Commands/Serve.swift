#if Server
  import ArgumentParser
  import Logging
  import MoECore
  import MoERuntime
  import MoEServer
  import MoETemplates
  import Synchronization

  /// `moe-run serve`: a model for several people at once, over HTTP.
  struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Serve a model over HTTP: OpenAI's interface, Anthropic's, llama-server's, a page.",
      discussion: """
        Requests that run at the same time share every expert that is read. The page is at /, \
        what the server understands at /openapi.json, what it does at /metrics.

        SIGTERM and Ctrl-C end it when running requests have ended, within --drain seconds; a \
        second one at once.
        """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Server") var server: ServerFlags

    @Option(
      help: ArgumentHelp(
        "The form of conversations: a file with a Jinja template, or one of "
          + BuiltInTemplateRegistry.all.map(\.name).joined(separator: ", ")
          + ". (default: the model's own)", valueName: "name|file"),
      completion: .file())
    var chatTemplate: String?

    @OptionGroup(title: "Sampling") var sampling: SamplingFlags
    @OptionGroup(title: "Memory and machine") var context: ContextOptions
    @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

    @Flag(name: [.customShort("q"), .long], help: "No access log.")
    var quiet = false

    func run() async throws {
      let path = try await model.path()
      var options = try server.serverOptions()
      options.sampling = sampling.samplingOptions()
      // Each request draws a seed of its own where it names none.
      options.sampling.seed = nil
      var engineOptions = memory.engineOptions(contextLength: context.ctxSize)
      server.apply(to: &engineOptions)
      var logger = Logger(label: "moe-run") { StreamLogHandler.standardError(label: $0) }
      if quiet { logger.logLevel = .error }
      var service = Server(options, logger: logger)
      service.hooks.chatTemplate = try ChatFormat.Source(flag: chatTemplate)
      service.hooks.constrain = ServedGrammar.constrain
      let watch = LiveWatch()
      service.hooks.liveStatus = { await watch.status?.json() }
      let (log, host) = (logger, options.host)
      let task = Task { [service, engineOptions] in
        try await service.run {
          let engine = try await Engine(modelAt: path, options: engineOptions)
          watch.begin(engine)
          log.notice("\(path) is loaded")
          return engine
        } listening: { port in
          log.notice("listening at \(host):\(port)")
        }
      }
      Interruption.onFirstSignal { task.cancel() }
      do {
        try await task.value
      } catch let error as ServerError {
        throw Failure.runtime(error.description)
      }
    }
  }

  /// The status of the engine once it is there.
  private final class LiveWatch: Sendable {
    private let state = Mutex<LiveStatus?>(nil)

    var status: LiveStatus? { state.withLock { $0 } }

    func begin(_ engine: Engine) { state.withLock { $0 = LiveStatus(engine) } }
  }
#endif
