import MoEModel
import MoETokenizer

/// What a model is, by its files.
public struct ModelInformation: Sendable, Hashable, Codable {
  public var name: String?
  /// The family, as files of the kind call it: `olmoe`, `qwen3moe`.
  public var architecture: String
  /// Positions that this engine holds keys and values for, and those that the model was made for.
  public var contextLength: Int
  public var trainedContextLength: Int
  /// Tokens that the model tells apart; some may have no text.
  public var vocabularySize: Int
  /// Ids of special tokens; nil where the model has none.
  public var beginToken: Int32?
  /// Each ends a text.
  public var endTokens: [Int32]
  /// Names of the model's chat templates; the usual one is `default`.
  public var chatTemplates: [String]
  /// (layer): routed experts; 0 for a dense layer; and how many of them a token takes.
  public var expertCounts: [Int]
  public var expertsPerToken: [Int]
}

extension ModelInformation {
  init(_ header: LoadedHeader, _ plan: RunPlan) {
    name = header.name
    architecture = plan.architecture
    contextLength = plan.memory.contextLength
    trainedContextLength = header.description.contextLength
    vocabularySize = header.description.vocabularySize
    beginToken = header.tokenizer.beginToken
    endTokens = header.tokenizer.endTokens
    chatTemplates = header.chatTemplates.keys.sorted()
    expertCounts = plan.expertCounts
    expertsPerToken = plan.expertsPerToken
  }
}
