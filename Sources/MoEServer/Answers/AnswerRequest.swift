import MoERuntime
import MoETemplates

/// What is to be written: prompts, how their texts are drawn, and how those are read.
struct AnswerRequest: Sendable {
  /// How the text is read.
  enum Reading: Sendable {
    /// As it is.
    case plain
    /// Thinking, tool calls and content told apart.
    case chat(OutputParser, tools: ToolUse)
  }

  var prompts: [[Int32]]
  var options: GenerationOptions
  /// Texts that are written from each prompt, each with a seed of its own.
  var choiceCount = 1
  var reading = Reading.plain
  /// Whether the client is told how far the prompt has been read.
  var reportsProgress = false
  /// How often it is told that the prompt is still read. Nil: never.
  var tickInterval: Duration?

  /// Texts that one request may ask for.
  static let choiceCountMax = 8

  /// All texts: those of the first prompt, then those of the next.
  var textCount: Int { prompts.count * choiceCount }

  /// The prompt of a text, and the text's number among those of that prompt.
  func place(of text: Int) -> (prompt: [Int32], number: Int) {
    (prompts[text / choiceCount], text % choiceCount)
  }

  /// The seed of the first choice; that of each other one is greater by one than the one before.
  var seed: UInt64 { options.sampling.seed ?? 0 }
}
