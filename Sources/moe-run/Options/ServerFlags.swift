#if Server
  import ArgumentParser
  import MoERuntime
  import MoEServer

  /// Where a server serves, whom, and how many at once.
  struct ServerFlags: ParsableArguments {
    private static let defaults = ServerOptions()

    @Option(
      help: ArgumentHelp(
        "The address to listen at; 0.0.0.0 for every one of the machine. "
          + "(default: \(defaults.host), this machine alone)", valueName: "address"))
    var host = defaults.host

    @Option(
      help: ArgumentHelp(
        "The port; 0: one that is free. (default: \(defaults.port))", valueName: "n"),
      transform: { try FlagValue.integer($0, in: 0...65_535) })
    var port = defaults.port

    @Option(
      help: ArgumentHelp(
        "A key that requests must have; repeatable. (default: everybody is let in)",
        valueName: "key"))
    var apiKey: [String] = []

    @Option(
      help: ArgumentHelp("A file with a key on each line.", valueName: "file"),
      completion: .file())
    var apiKeyFile: String?

    @Option(
      help: ArgumentHelp(
        "An origin whose pages may use the server in a browser, or *; repeatable. "
          + "(default: the server's own page alone)", valueName: "origin"))
    var corsOrigin: [String] = []

    @Option(
      help: ArgumentHelp(
        "A certificate in PEM, for HTTPS; --tls-key is its key.", valueName: "file"),
      completion: .file())
    var tlsCert: String?

    @Option(help: ArgumentHelp("The certificate's key.", valueName: "file"), completion: .file())
    var tlsKey: String?

    @Option(
      name: [.customLong("parallel"), .customShort("p")],
      help: ArgumentHelp(
        "Requests that run at the same time, 1 to 256; each has the whole context. (default: 4)",
        valueName: "n"),
      transform: { try FlagValue.integer($0, in: 1...256) })
    var parallel = 4

    @Option(
      help: ArgumentHelp(
        "Requests that may wait besides; one more is refused. (default: 64)", valueName: "n"),
      transform: { try FlagValue.integer($0, in: 0...1 << 20) })
    var queue = 64

    @Option(
      help: ArgumentHelp(
        "States of texts that are kept for requests that begin alike. (default: 4)",
        valueName: "n"),
      transform: { try FlagValue.integer($0, in: 0...256) })
    var keep = 4

    @Option(
      help: ArgumentHelp(
        "While texts are written, the share of the time for reading prompts. (default: 0.5)",
        valueName: "x"),
      transform: { Double(try FlagValue.number($0, in: 0...1, isOpen: true)) })
    var prefillShare = 0.5

    @Option(
      help: ArgumentHelp(
        "Seconds for running requests to end once the server is to. (default: 30)",
        valueName: "s"),
      transform: { Double(try FlagValue.number($0, in: 0...86_400)) })
    var drain = defaults.drainSeconds

    @Option(
      help: ArgumentHelp("The name that answers have for the model.", valueName: "name"))
    var alias: String?

    @Flag(help: "No comments in streams while a prompt is read.")
    var noKeepAlive = false

    @Flag(help: "Show what requests say in the log.")
    var logPrompts = false

    func serverOptions() throws -> ServerOptions {
      var options = ServerOptions()
      options.host = host
      options.port = port
      options.apiKeys = apiKey
      if let apiKeyFile {
        let keys = try InputText.file(apiKeyFile).split(whereSeparator: \.isNewline)
          .map { String($0.trimmingWhitespace) }.filter { !$0.isEmpty }
        guard !keys.isEmpty else {
          throw Failure.runtime("the file '\(apiKeyFile)' has no key; give one a line")
        }
        options.apiKeys += keys
      }
      options.corsOrigins = corsOrigin
      options.tlsCertificatePath = tlsCert
      options.tlsKeyPath = tlsKey
      options.drainSeconds = drain
      options.modelName = alias
      options.keepAliveComments = !noKeepAlive
      options.accessLogsPrompts = logPrompts
      options.slotCount = parallel
      options.keepsState = keep > 0
      return options
    }

    func apply(to options: inout EngineOptions) {
      options.parallelRequestCount = parallel
      options.queueLength = queue
      options.keptStateCount = keep
      options.prefillShare = prefillShare
      options.holdsGrammars = true
      options.warmStart = true
    }
  }

  extension Substring {
    fileprivate var trimmingWhitespace: Substring {
      var text = drop { $0.isWhitespace }
      while text.last?.isWhitespace ?? false { text.removeLast() }
      return text
    }
  }
#endif
