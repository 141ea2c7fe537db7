import MoECore
import MoEExperts
import MoEModel
import MoERuntime
import MoETemplates
import MoETokenizer
import Synchronization

/// The model that is served, and all that answers are made with.
final class ServedModel: Sendable {
  let engine: Engine
  let format: ChatFormat
  /// What answers call it.
  let name: String
  /// When it was loaded, in seconds since 1970.
  let createdSeconds: Int
  let contextLength: Int
  let source: any TextSource
  let running = RunningAnswers()
  /// The texts of its chat templates, and the names of what they read.
  let templateText: String
  let templateNames: Set<String>
  /// Bytes of the longest token.
  private let longestTokenByteCount: Int
  private let experts = Mutex(ExpertStatistics())

  init(_ engine: Engine, options: ServerOptions, hooks: ServerHooks) throws(EngineError) {
    self.engine = engine
    format = try ChatFormat(engine, wanted: hooks.chatTemplate)
    name = options.modelName ?? engine.plan.modelName ?? Self.name(ofFile: engine.plan.path)
    createdSeconds = HTTPDate.unixSeconds
    contextLength = engine.plan.memory.contextLength
    source = hooks.textSource?(engine) ?? EngineTextSource(engine: engine)
    templateText =
      switch format.source {
      case .model: engine.chatTemplates.values.sorted().joined(separator: "\n")
      case .builtIn(let name): BuiltInTemplateRegistry.template(named: name)?.source ?? ""
      case .text(let text): text
      }
    templateNames = TemplateNames.all(in: templateText)
    let tokenizer = engine.tokenizer
    longestTokenByteCount = (0..<Int32(tokenizer.vocabularySize)).reduce(1) { longest, token in
      max(longest, tokenizer.bytes(of: token, renderSpecial: true).count)
    }
  }

  private static func name(ofFile path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
  }

  var tokenizer: Tokenizer { engine.tokenizer }

  /// The tokens of a prompt, or why it can't be one.
  ///
  /// - Parameter addsSpecialTokens: Whether it begins as the model's texts begin.
  func tokens(
    of prompt: [PromptSegment], addsSpecialTokens: Bool
  ) throws(APIError) -> [Int32] {
    var tokens = tokenizer.encode(prompt, addSpecial: addsSpecialTokens)
    if tokens.isEmpty {
      // What texts begin with, or what ends the one before.
      guard let start = tokenizer.beginToken ?? tokenizer.endToken else {
        throw APIError(EngineError.emptyPrompt)
      }
      tokens = [start]
    }
    return try checked(tokens)
  }

  /// Refuses a text that can't fit the context however it is cut into tokens, before any is made of
  /// it.
  func check(textByteCount: Int) throws(APIError) {
    let least = textByteCount / longestTokenByteCount
    if least > contextLength {
      throw .contextExceeded(tokenCount: least, contextLength: contextLength)
    }
  }

  /// Tokens that were given as such.
  func checked(_ tokens: [Int32]) throws(APIError) -> [Int32] {
    guard !tokens.isEmpty else { throw APIError(EngineError.emptyPrompt) }
    if let wrong = tokens.first(where: { $0 < 0 || $0 >= tokenizer.vocabularySize }) {
      throw APIError(
        EngineError.invalidToken(id: wrong, vocabularySize: tokenizer.vocabularySize))
    }
    guard tokens.count <= contextLength else {
      throw .contextExceeded(tokenCount: tokens.count, contextLength: contextLength)
    }
    return tokens
  }

  /// What the engine has done so far. The experts' figures are those of some time ago where it is
  /// in the midst of a long step.
  func figures() async -> EngineFigures {
    let engine = engine
    let fresh = Task {
      let statistics = try? await engine.snapshot { $0.experts.statistics }
      if let statistics { self.experts.withLock { $0 = statistics } }
    }
    await fresh.finished(within: .milliseconds(250))
    return EngineFigures(
      load: engine.load, experts: experts.withLock { $0 },
      peakByteCount: ProcessMemory.peakByteCount(),
      budgetByteCount: engine.plan.memory.budgetByteCount)
  }
}

extension Task where Success == Void, Failure == Never {
  /// Returns when the task has ended, or after some time.
  fileprivate func finished(within limit: Duration) async {
    let (ends, end) = AsyncStream<Void>.makeStream()
    let waiting = Task<Void, Never> {
      await self.value
      end.yield()
    }
    let timer = Task<Void, Never> {
      try? await Task<Never, Never>.sleep(for: limit)
      end.yield()
    }
    for await _ in ends { break }
    timer.cancel()
    waiting.cancel()
  }
}
