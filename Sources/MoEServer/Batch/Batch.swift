package import Logging
import MoECore
import MoEPlatform
package import MoERuntime

/// What a batch reads and writes.
package struct BatchOptions: Sendable {
  package var inputPath: String
  package var outputPath: String
  /// Whether the output is put in the input's order once all is done.
  package var isOrdered = false
  /// How tokens are drawn where a request does not say.
  package var sampling = SamplingOptions()
  /// The name that answers have for the model. Nil: the one in its file.
  package var modelName: String?

  package init(inputPath: String, outputPath: String) {
    self.inputPath = inputPath
    self.outputPath = outputPath
  }
}

/// Requests in a file, each a line as OpenAI's batches have it, and the answers to them in another.
///
/// The answers are those that a server gives. What a run has done stays where it is interrupted,
/// and the next one with the same output goes on with the rest.
package actor Batch {
  let options: BatchOptions
  let hooks: ServerHooks
  let logger: Logger
  let input: InputFile
  /// Nil where nothing is to be written.
  var output: BatchOutput?
  var index: BatchIndex
  /// Takes its memory before the model does, so that it counts.
  var planner: BatchPlanner
  var progress = BatchProgress()
  let router = Router(EndpointRegistry.all)
  let bodies = BodyReader(byteCountMax: Batch.lineByteCountMax)

  /// Bytes of a line of the input, and so of a request.
  package static let lineByteCountMax = 4 << 20
  /// Texts whose state is kept besides those in progress: one for each end that requests are taken
  /// from.
  package static let keptStateCount = 2

  /// Reads the input and what there is of the output. Lines that are no requests are named in the
  /// output at once.
  ///
  /// - Parameters:
  ///   - hooks: As those of a server.
  ///   - writes: False: nothing is written, and `run` may not be called.
  package init(
    _ options: BatchOptions, hooks: ServerHooks = ServerHooks(), logger: Logger,
    writes: Bool = true
  ) throws(BatchError) {
    self.options = options
    self.hooks = hooks
    self.logger = logger
    let input = try BatchError.filing { () throws(FileError) in
      try InputFile(options.inputPath)
    }
    let there = FileStatus(path: options.outputPath)
    if let found = there?.identity, found.inode == input.identity.inode,
      found.device == input.identity.device
    {
      throw .sameFile(path: options.inputPath)
    }
    var (output, scan): (BatchOutput?, BatchOutputScan) = (nil, BatchOutputScan())
    if writes {
      let file = try BatchError.filing { () throws(FileError) in
        try AppendedFile.open(options.outputPath)
      }
      guard let file else { throw .inUse(path: options.outputPath) }
      scan = try BatchOutputScan(path: options.outputPath, read: file.bytes)
      output = try BatchError.filing { [scan] () throws(FileError) in
        try BatchOutput(file, behind: scan)
      }
    } else if there != nil {
      let file = try BatchError.filing { () throws(FileError) in
        try InputFile(options.outputPath)
      }
      scan = try BatchOutputScan(path: options.outputPath, read: file.bytes)
    }
    let bodies = bodies
    var errorCount = 0
    index = try BatchIndex(
      input, done: scan.done, byteCountMax: Self.lineByteCountMax, router: router,
      memory: { BodyMemory(bodies) }
    ) { error throws(BatchError) in
      errorCount += 1
      return try BatchError.filing { () throws(FileError) in
        try output?.append(BatchOutputLine.refusal(error))
      }
    }
    self.input = input
    self.output = output
    planner = BatchPlanner(capacity: index.waitingCount)
    progress.totalCount = index.entries.count
    progress.doneCount = index.doneCount
    progress.doneBeforeCount = index.doneCount
    progress.errorCount = errorCount
  }

  /// How far it has come.
  package var progressNow: BatchProgress { progress }

  /// Requests that are not done.
  package var waitingCount: Int { index.waitingCount }

  /// Lines of the input that are no requests.
  package var refusedCount: Int { index.refusedCount }

  /// Whether some answer is to have a form, for which an engine must have memory
  /// (`EngineOptions.holdsGrammars`).
  package var wantsForms: Bool { index.wantsForms }
}
