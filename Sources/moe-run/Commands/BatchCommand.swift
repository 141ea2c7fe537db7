#if Server
  import ArgumentParser
  import FoundationEssentials
  import Logging
  import MoEAnalysis
  import MoERuntime
  import MoEServer
  import MoETemplates

  /// `moe-run batch`: many requests from a file, as fast as the memory allows.
  struct BatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "batch",
      abstract: "Answer many requests from a file, as many at a time as pays.",
      discussion: """
        Each line of the input is a request as OpenAI's batches have it: {"custom_id": "a", \
        "method": "POST", "url": "/v1/chat/completions", "body": {...}}. Each line of the output \
        is its answer, which is that of 'moe-run serve'. What is interrupted goes on with the same \
        command: what is in the output already is not done again.

        A line that is no request, or one whose custom_id another has, is named in the output, and \
        the others go on. Example: moe-run batch MODEL.gguf in.jsonl -o out.jsonl --memory 8G
        """)

    @OptionGroup(title: "Model") var model: ModelOptions

    @Argument(
      help: ArgumentHelp("The requests.", valueName: "in.jsonl"),
      completion: .file(extensions: ["jsonl"]))
    var input: String?

    @Option(
      name: [.customShort("o"), .long], parsing: .unconditional,
      help: ArgumentHelp(
        "The file for the answers; one that has some is gone on with.", valueName: "out.jsonl"),
      completion: .file(extensions: ["jsonl"]))
    var output: String

    @Option(
      name: [.long, .customShort("p")],
      help: ArgumentHelp(
        "Texts that are written at the same time, 1 to 256. (default: as many as pay, by the "
          + "performance model)", valueName: "n"),
      transform: { try FlagValue.integer($0, in: 1...Engine.parallelRequestCountMax) })
    var parallel: Int?

    @Flag(help: "Put the answers in the order of the requests once all are there.")
    var ordered = false

    @Flag(
      help: ArgumentHelp(
        "Write nothing: say what is to be done, and how fast with how many texts at a time."))
    var dryRun = false

    @Option(help: ArgumentHelp("The name that answers have for the model.", valueName: "name"))
    var alias: String?

    @Option(
      help: ArgumentHelp(
        "The form of conversations: a file with a Jinja template, or one of "
          + BuiltInTemplateRegistry.all.map(\.name).joined(separator: ", ")
          + ". (default: the model's own)", valueName: "name|file"),
      completion: .file())
    var chatTemplate: String?

    @OptionGroup(title: "Sampling") var sampling: SamplingFlags
    @OptionGroup(title: "Prediction") var prediction: PredictionOptions
    @OptionGroup(title: "Memory and machine") var context: ContextOptions
    @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

    @Flag(name: [.customShort("q"), .long], help: "No progress and no figures on standard error.")
    var quiet = false

    func validate() throws {
      if prediction.mode == .none, parallel == nil || dryRun {
        throw ValidationError(
          "--probe none predicts nothing; give --parallel N, and no --dry-run, with it")
      }
    }

    func run() async throws {
      let (modelPath, inputPath) = try await paths()
      let job = Task { try await answer(modelAt: modelPath, inputPath) }
      Interruption.onFirstSignal { job.cancel() }
      do {
        try await job.value
      } catch let error as BatchError {
        throw Failure.runtime(error.description)
      }
    }

    private func answer(modelAt path: String, _ inputPath: String) async throws {
      var options = BatchOptions(inputPath: inputPath, outputPath: output)
      options.isOrdered = ordered
      options.modelName = alias
      options.sampling = sampling.samplingOptions()
      // Each request draws a seed of its own where it names none.
      options.sampling.seed = nil
      var hooks = ServerHooks()
      hooks.chatTemplate = try ChatFormat.Source(flag: chatTemplate)
      hooks.constrain = ServedGrammar.constrain
      var logger = Logger(label: "moe-run") { StreamLogHandler.standardError(label: $0) }
      logger.logLevel = quiet ? .critical : .notice
      let batch = try Batch(options, hooks: hooks, logger: logger, writes: !dryRun)
      let waitingCount = await batch.waitingCount

      var engineOptions = memory.engineOptions(contextLength: context.ctxSize)
      engineOptions.keptStateCount = Batch.keptStateCount
      // Nobody waits for an answer, and the sooner a prompt is read the more texts share a step.
      engineOptions.prefillShare = 1
      engineOptions.holdsGrammars = await batch.wantsForms
      engineOptions.warmStart = true
      if dryRun { return try await say(batch, waitingCount, path, engineOptions) }
      guard waitingCount > 0 else {
        try await batch.finish()
        return say(await batch.progressNow)
      }
      engineOptions.parallelRequestCount =
        try parallel
        ?? choose(&engineOptions, modelAt: path, waitingCount: waitingCount)
      let engine = try await load(path, engineOptions)
      let meter = BatchMeter(isQuiet: quiet)
      let progress = try await batch.run(
        on: engine, parallelCount: engineOptions.parallelRequestCount, report: meter.update)
      meter.erase()
      say(progress)
    }

    /// The two positional arguments, of which -m and -hf leave one.
    private func paths() async throws -> (model: String, input: String) {
      if input == nil, model.isFlagged, let only = model.argument {
        var named = model
        named.argument = nil
        return (try await named.path(), only)
      }
      let path = try await model.path()
      guard let input else {
        throw Failure.usage("give a file of requests: moe-run batch MODEL.gguf in.jsonl -o FILE")
      }
      return (path, input)
    }

    private func load(_ path: String, _ options: EngineOptions) async throws -> Engine {
      let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
      defer { loading.erase() }
      return try await Engine(modelAt: path, options: options, progress: loading.update)
    }

    private func predicted(
      _ options: EngineOptions, modelAt path: String, waitingCount: Int
    ) throws -> (ParallelPrediction, contextLength: Int) {
      let table = try Engine.parallelCosts(
        modelAt: path, options: options, counts: Engine.parallelCounts(upTo: waitingCount),
        position: prediction.promptTokens, probe: prediction.mode,
        environment: ProcessInfo.processInfo.environment)
      return (
        try ParallelPrediction(table, options: prediction), table.plan.memory.contextLength
      )
    }

    /// As many texts as pay, all with the context that one would have.
    private func choose(
      _ options: inout EngineOptions, modelAt path: String, waitingCount: Int
    ) throws -> Int {
      let (predicted, contextLength) = try predicted(
        options, modelAt: path, waitingCount: waitingCount)
      options.contextLength = contextLength
      if !quiet {
        StandardError.write("moe-run: \(ParallelReport.choice(predicted.choice))\n")
      }
      return predicted.choice.textCount
    }

    /// What would be done.
    private func say(
      _ batch: Batch, _ waitingCount: Int, _ path: String, _ options: EngineOptions
    ) async throws {
      let progress = await batch.progressNow
      let refused = await batch.refusedCount
      var text =
        "requests  \(waitingCount) to be answered; \(progress.doneCount - refused) are, and "
        + "\(refused) lines are no requests\n"
      if waitingCount > 0 {
        let (predicted, _) = try predicted(options, modelAt: path, waitingCount: waitingCount)
        text += ParallelReport.text(predicted)
      }
      try StandardOutput.write(text)
    }

    /// What was done.
    private func say(_ progress: BatchProgress) {
      if !quiet { StandardError.write(BatchMeter.summary(progress) + "\n") }
    }
  }
#endif
