import Glibc
import MoECore
import MoERuntime
import MoETestSupport
import MoETokenizer
import Synchronization
import Testing

/// Requests that run at the same time: each has the text that it has alone.
@Suite struct ParallelTests {
  private static let prompts = [
    "Once upon a time", "The big red dog", "Lily and Tom went to the park. They saw",
    "One day, a little bird", "\"Hello,\" said the", "The sun was", "Mom said that the cat",
    "There was a boy named Tim. He liked to play with his toy car. One day he",
  ]

  private static func options(_ number: Int, count: Int = 24) -> GenerationOptions {
    var options = GenerationOptions()
    options.tokenCountMax = count
    options.sampling.seed = UInt64(number)
    options.sampling.temperature = number % 3 == 0 ? 0 : 0.9
    return options
  }

  private static func engine(
    parallel: Int, _ change: (inout EngineOptions) -> Void = { _ in }
  ) async throws -> Engine {
    var options = EngineOptions()
    options.contextLength = 256
    options.parallelRequestCount = parallel
    change(&options)
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  private static func run(
    _ generation: Generation
  ) async throws -> (tokens: [GeneratedToken], statistics: GenerationStatistics) {
    var tokens: [GeneratedToken] = []
    for try await token in generation { tokens.append(token) }
    return (tokens, try #require(generation.statistics))
  }

  private static func alone(_ change: (inout EngineOptions) -> Void) async throws -> [[Int32]] {
    let engine = try await engine(parallel: 1, change)
    var texts: [[Int32]] = []
    for (number, prompt) in prompts.enumerated() {
      texts.append(try await run(engine.generate(prompt, options(number))).tokens.map(\.id))
    }
    return texts
  }

  private static func together(_ engine: Engine) async throws -> [[Int32]] {
    try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
      for (number, prompt) in prompts.enumerated() {
        group.addTask {
          (number, try await run(engine.generate(prompt, options(number))).tokens.map(\.id))
        }
      }
      var texts = [[Int32]](repeating: [], count: prompts.count)
      for try await (number, text) in group { texts[number] = text }
      return texts
    }
  }

  @Test(arguments: [ExpertPlacement.resident, .offloaded], [3, 8])
  func companyChangesNoText(_ placement: ExpertPlacement, _ parallel: Int) async throws {
    let change: (inout EngineOptions) -> Void = {
      $0.placement = placement
      if placement == .offloaded { $0.expertPool = .fraction(0.4) }
    }
    let alone = try await Self.alone(change)
    let engine = try await Self.engine(parallel: parallel) {
      change(&$0)
      $0.chunkTokenCount = 16
    }
    #expect(try await Self.together(engine) == alone)
    #expect(engine.load == EngineLoad(runningCount: 0, waitingCount: 0))
  }

  @Test func speculationChangesNoText() async throws {
    let alone = try await Self.alone { _ in }
    for parallel in [1, 4] {
      let engine = try await Self.engine(parallel: parallel) { $0.speculation = .ngram }
      #expect(try await Self.together(engine) == alone, "\(parallel) at a time")
    }
  }

  /// A text that repeats itself is guessed, and comes in fewer steps than it has tokens.
  @Test func repetitionsAreGuessed() async throws {
    let prompt = String(repeating: "The dog ran to the cat and the bird. ", count: 6)
    let options = Self.options(0, count: 60)
    let plain = try await Self.run(
      Self.engine(parallel: 1) { $0.placement = .offloaded }.generate(prompt, options))
    let guessed = try await Self.run(
      Self.engine(parallel: 1) {
        $0.placement = .offloaded
        $0.speculation = .ngram
      }.generate(prompt, options))
    #expect(guessed.tokens == plain.tokens)
    // An expert is asked for once in a step, however many tokens it verifies.
    #expect(
      guessed.statistics.decode.requestCount < plain.statistics.decode.requestCount)
  }

  @Test func whatIsTooMuchForTheQueueIsRefused() async throws {
    let engine = try await Self.engine(parallel: 1) { $0.queueLength = 1 }
    // The first is held in its first layer until the others have been asked for.
    let mayGoOn = Mutex(false)
    var options = Self.options(1, count: 4)
    options.promptProgress = { _, _ in while !mayGoOn.withLock({ $0 }) {} }
    let first = engine.generate(Self.prompts[0], options)
    while engine.load.runningCount == 0 { await Task.yield() }
    let second = engine.generate(Self.prompts[1], Self.options(2, count: 4))
    let third = engine.generate(Self.prompts[2], Self.options(3, count: 4))
    #expect(engine.load == EngineLoad(runningCount: 1, waitingCount: 1))
    await #expect(throws: EngineError.self) { for try await _ in third {} }
    mayGoOn.withLock { $0 = true }
    #expect(try await Self.run(first).tokens.count == 4)
    #expect(try await Self.run(second).tokens.count == 4)
  }

  @Test func oneThatLeavesDisturbsNobody() async throws {
    let alone = try await Self.alone { _ in }
    let engine = try await Self.engine(parallel: 4)
    let left = (0..<3).map { engine.generate(Self.prompts[$0], Self.options(90 + $0)) }
    let others = Task { try await Self.together(engine) }
    for generation in left {
      for try await _ in generation { break }
      generation.stop()
    }
    #expect(try await others.value == alone)
  }

  /// A longer text that begins like an earlier one goes on from it, with the same bits.
  @Test func beginningsAreKeptForWhoeverWantsThem() async throws {
    let engine = try await Self.engine(parallel: 2) { $0.keptStateCount = 3 }
    var options = Self.options(0, count: 8)
    let begin = "Once upon a time there was a little girl named Lily. She had a dog."
    let ends = ["", " The dog was big", " The dog was small. It", " One day the dog"]
    var plain: [[GeneratedToken]] = []
    for end in ends {
      plain.append(try await Self.run(engine.generate(begin + end, options)).tokens)
    }
    options.keepsState = true
    for round in 0..<2 {
      for (number, end) in ends.enumerated() {
        let found = try await Self.run(engine.generate(begin + end, options))
        #expect(found.tokens == plain[number], "round \(round), '\(end)'")
        #expect(round == 0 && number == 0 || found.statistics.heldTokenCount > 10)
      }
    }
  }

  /// One that begins like a text in progress goes on from what that has read, and both have the
  /// texts that they have alone.
  @Test func theBeginningOfATextInProgressIsCopied() async throws {
    let begin = "Once upon a time there was a little girl named Lily. She had a dog."
    let ends = [" The dog was big", " The dog was small. It", " One day the dog"]
    let alone = try await Self.engine(parallel: 1)
    var plain: [[GeneratedToken]] = []
    for end in ends {
      plain.append(
        try await Self.run(alone.generate(begin + end, Self.options(0, count: 40))).tokens)
    }
    // Room for the texts in progress alone.
    let engine = try await Self.engine(parallel: 3)
    let (reads, read) = AsyncStream<Void>.makeStream()
    let mayGoOn = Mutex(false)
    var options = Self.options(0, count: 40)
    options.keepsState = true
    var first = options
    first.promptProgress = { done, total in if done == total { read.yield() } }
    // The first text is held at its second token until the others have begun.
    first.changesLogits = { _, text in
      if text.count > 40 { while !mayGoOn.withLock({ $0 }) {} }
    }
    let leading = engine.generate(begin + ends[0], first)
    for await _ in reads { break }
    let others = ends.dropFirst().map { engine.generate(begin + $0, options) }
    mayGoOn.withLock { $0 = true }
    let found = try await Self.run(leading)
    #expect(found.tokens == plain[0] && found.statistics.heldTokenCount == 0)
    for (number, generation) in others.enumerated() {
      let found = try await Self.run(generation)
      #expect(found.tokens == plain[number + 1])
      #expect(found.statistics.heldTokenCount > 10)
    }
  }

  @Test func probabilitiesAreThoseOfTheLogits() async throws {
    let engine = try await Self.engine(parallel: 2)
    let seen = Mutex<[[Float]]>([])
    var options = Self.options(1, count: 6)
    options.logProbabilityCount = 3
    options.changesLogits = { logits, _ in
      var copy: [Float] = []
      for index in logits.indices { copy.append(logits[index]) }
      seen.withLock { $0.append(copy) }
    }
    let found = try await Self.run(engine.generate(Self.prompts[0], options)).tokens
    let logits = seen.withLock { $0 }
    #expect(found.count == 6 && logits.count == 6)
    for (token, logits) in zip(found, logits) {
      let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
      #expect(token.alternatives.map(\.id) == order.prefix(3).map { Int32($0) })
      let largest = Double(logits[order[0]])
      let sum = logits.reduce(0.0) { $0 + exp(Double($1) - largest) }
      for alternative in token.alternatives + [
        TokenProbability(id: token.id, logProbability: try #require(token.logProbability))
      ] {
        let expected = Double(logits[Int(alternative.id)]) - largest - log(sum)
        #expect(abs(alternative.logProbability - expected) < 1e-6)
      }
    }
  }

  @Test func logitsMayBeChanged() async throws {
    let engine = try await Self.engine(parallel: 2)
    var options = Self.options(1, count: 5)
    options.changesLogits = { logits, text in
      // Counts up by the length of the text.
      for index in logits.indices where index != 100 + text.count { logits[index] = -.infinity }
    }
    let prompt: [Int32] = [20, 30, 40]
    let found = try await Self.run(engine.generate(tokens: prompt, options)).tokens
    #expect(found.map(\.id) == [103, 104, 105, 106, 107])
  }
}
