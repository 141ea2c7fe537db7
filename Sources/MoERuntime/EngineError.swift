import MoECore
public import MoEExperts
public import MoEFormats
public import MoEModel
public import MoETokenizer

/// Why a model could not be loaded or run: one sentence that says what is wrong, where, and what to
/// do.
public enum EngineError: Error, Sendable, CustomStringConvertible {
  case format(FormatError)
  case model(ModelError)
  case tokenizer(TokenizerError)
  /// The disk, the file or its reader failed.
  case experts(ExpertError)
  case store(String)
  /// A download into a preallocated file stopped: weights are missing.
  case incompleteFile(HoleInTensor)
  /// A gating is not written as any is, or does not suit the model.
  case gating(String)
  /// A routing trace could not be written.
  case trace(String)
  /// A chat template is none, or refuses the conversation; with its own words then.
  case template(String)
  /// A grammar cannot be used, or the text cannot go on by it.
  case grammar(String)
  case outOfMemory(String)
  /// The budget cannot hold what the run needs; the plan says who needs what.
  case budgetTooSmall(MemoryPlan)
  case invalidOption(name: String, wanted: String, found: String)
  case invalidToken(id: Int32, vocabularySize: Int)
  case contextExceeded(tokenCount: Int, contextLength: Int)
  case emptyPrompt
  /// Weights that are no numbers, so that nothing computed with them is one.
  case damagedWeight(DamagedWeight)
  /// The model gave no number for any token, though its weights are numbers.
  case logitsAreNoNumbers(file: String)
  /// The engine was unloaded before the request had its turn.
  case unloaded
  /// As many requests wait as may.
  case queueFull(length: Int)
  /// The request was cancelled before it was done.
  case cancelled
  /// What the caller gave to take the engine's output threw this.
  case output(any Error)
  /// A text that is too short to be scored.
  case textTooShort(tokenCount: Int, wanted: Int)

  public var description: String {
    switch self {
    case .format(let error): return error.description
    case .model(let error): return error.description
    case .tokenizer(let error): return error.description
    case .experts(let error): return error.description
    case .incompleteFile(let hole): return hole.description
    case .store(let text), .gating(let text), .trace(let text), .template(let text),
      .grammar(let text), .outOfMemory(let text):
      return text
    case .budgetTooSmall(let plan):
      return
        "a memory budget of \(ByteSize(plan.budgetByteCount)) is too small for this model: give "
        + plan.remedies.map(\.description).joined(separator: ", or ")
    case .invalidOption(let name, let wanted, let found):
      return "\(name) must be \(wanted), but is \(found)"
    case .invalidToken(let id, let vocabularySize):
      return "token \(id) is not in the vocabulary of \(vocabularySize) tokens"
    case .contextExceeded(let tokenCount, let contextLength):
      return
        "the prompt has \(tokenCount) tokens, but the context holds \(contextLength); shorten it "
        + "or give a larger context"
    case .emptyPrompt:
      return "the prompt is empty and the model has no token to begin with; give some text"
    case .damagedWeight(let weight): return weight.description
    case .logitsAreNoNumbers(let file):
      return
        "\(file): the model's output is not a number, though its weights are; the file is damaged"
    case .unloaded: return "the engine has been unloaded; load the model again"
    case .queueFull(let length):
      return "\(length) requests are waiting already, and no more may; try again later"
    case .cancelled: return "the request was cancelled"
    case .output(let error): return "\(error)"
    case .textTooShort(let tokenCount, let wanted):
      return "the text has \(tokenCount) tokens; at least \(wanted) are needed"
    }
  }
}

extension EngineError {
  /// What a request ended with.
  init(_ error: any Error) {
    switch error {
    case let error as EngineError: self = error
    case is CancellationError: self = .cancelled
    default: self = .store("\(error)")
    }
  }
}
