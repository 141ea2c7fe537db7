import MoEGrammar
import MoETokenizer
private import Synchronization

/// The grammars of an engine: its vocabulary as they see it, made once, and those used last.
final class GrammarShelf: Sendable {
  private struct State {
    var vocabulary: GrammarVocabulary?
    /// The one used last at the end.
    var grammars: [(key: String, compiled: CompiledGrammar)] = []
  }

  /// Grammars that are kept, besides those that requests in progress hold.
  private static let countMax = 2
  /// What a vocabulary takes for each token, and a grammar as far as it has learned.
  private static let byteCountPerToken = 64
  private static let byteCountPerGrammar = CompiledGrammar.learnedByteCountMax

  private let tokenizer: Tokenizer
  private let vocabularySize: Int
  private let isPlanned: Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - vocabularySize: Tokens that there are logits for.
  ///   - isPlanned: Whether the memory plan has room for grammars.
  init(_ tokenizer: Tokenizer, vocabularySize: Int, isPlanned: Bool) {
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
    self.isPlanned = isPlanned
  }

  /// What grammars take from the memory budget.
  static func byteCount(vocabularySize: Int, parallelRequestCount: Int) -> Int {
    vocabularySize * byteCountPerToken + (parallelRequestCount + countMax) * byteCountPerGrammar
  }

  /// - Parameter key: Tells one grammar from another.
  func grammar(
    key: String, _ make: () throws(GrammarError) -> Grammar
  ) throws(EngineError) -> OutputGrammar {
    guard isPlanned else {
      throw .invalidOption(
        name: "a grammar", wanted: "planned for when the model is loaded",
        found: "without memory in the plan")
    }
    do throws(GrammarError) {
      return OutputGrammar(compiled: try compiled(key, make))
    } catch {
      throw .grammar(error.description)
    }
  }

  private func compiled(
    _ key: String, _ make: () throws(GrammarError) -> Grammar
  ) throws(GrammarError) -> CompiledGrammar {
    let kept = state.withLock { state -> CompiledGrammar? in
      guard let index = state.grammars.firstIndex(where: { $0.key == key }) else { return nil }
      let entry = state.grammars.remove(at: index)
      state.grammars.append(entry)
      return entry.compiled
    }
    if let kept { return kept }
    let compiled = try CompiledGrammar(make(), vocabulary: try vocabulary())
    state.withLock { state in
      state.grammars.append((key, compiled))
      if state.grammars.count > Self.countMax { state.grammars.removeFirst() }
    }
    return compiled
  }

  private func vocabulary() throws(GrammarError) -> GrammarVocabulary {
    if let vocabulary = state.withLock({ $0.vocabulary }) { return vocabulary }
    let made = try GrammarVocabulary(
      count: vocabularySize, endTokens: tokenizer.endTokens, bytes: tokenizer.bytes(of:))
    state.withLock { $0.vocabulary = made }
    return made
  }
}
