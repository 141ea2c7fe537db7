/// Why no tokenizer can be made from a model file's metadata.
public struct TokenizerError: Error, Equatable, CustomStringConvertible {
  public enum Reason: Sendable {
    /// A key that is needed is not there.
    case missing
    /// The key's value has another type than the key demands.
    case wrongType
    /// An array has another length than its companion.
    case wrongCount
    /// The value is well formed and names something that is not implemented.
    case unsupported
    /// A token id lies outside the vocabulary.
    case outOfRange
    /// An element of an array cannot be understood.
    case malformed
  }

  public let reason: Reason
  /// What the metadata came from, usually the file's path.
  public let source: String
  /// The metadata key at fault, for example `tokenizer.ggml.merges`.
  public let key: String
  public let wanted: String
  public let found: String
  /// What the user can do about it.
  public let advice: String

  public var description: String {
    "\(source): \(key): wanted \(wanted), found \(found); \(advice)"
  }
}
