import MoERuntime
import MoETemplates

/// What happens while answers are written.
enum AnswerEvent: Sendable {
  /// Some time has passed in which the prompt was read.
  case tick
  case progress(PromptProgress)
  case piece(choice: Int, AnswerPiece)
  case end(choice: Int, AnswerEnd)
}

/// How far a prompt has been read.
struct PromptProgress: Sendable, Equatable {
  var totalCount: Int
  /// Tokens that were known when reading began.
  var cachedCount: Int
  /// Those included.
  var processedCount: Int
  var milliseconds: Double
}

/// What a token adds to an answer.
struct AnswerPiece: Sendable {
  var output: [OutputEvent] = []
  /// The tokens of what was added to the content, where their probabilities were asked for.
  var probabilities: [ContentToken] = []
  /// Nil for what had been held back at the end of the text.
  var token: Int32?
}

/// A token of the content, and how probable it was.
struct ContentToken: Sendable, Equatable {
  var id: Int32
  /// What of it is content; empty while a character's bytes are not all there.
  var text: String
  var bytes: [UInt8]
  var logProbability: Double
  var alternatives: [TokenProbability]
}

/// How an answer ended.
struct AnswerEnd: Sendable {
  var finish: FinishReason
  var hasToolCalls: Bool
  var statistics: GenerationStatistics
  /// Nil where the prompt is that of another choice too, which has it counted.
  var promptTokenCount: Int?

  /// By OpenAI's words.
  var reason: String {
    switch finish {
    case .length: "length"
    case .end, .stop, .cancelled: hasToolCalls ? "tool_calls" : "stop"
    }
  }
}

/// What an answer cost, as the interfaces report it.
struct AnswerUsage: Sendable, Equatable {
  var promptTokenCount = 0
  var cachedTokenCount = 0
  var generatedTokenCount = 0

  init() {}

  /// Of all choices of a request.
  init(_ ends: [AnswerEnd]) {
    for end in ends {
      guard let count = end.promptTokenCount else { continue }
      promptTokenCount += count
      cachedTokenCount += end.statistics.heldTokenCount
    }
    generatedTokenCount = ends.reduce(0) { $0 + $1.statistics.generatedTokenCount }
  }
}
