/// A value that a model's description lacks or that cannot be used.
public struct MetadataError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Where the description comes from: usually the model file's path.
  public let source: String
  public let key: String
  public let wanted: String
  /// What the file says, in a few words; nil where the key is absent.
  public let found: String?

  public init(source: String, key: String, wanted: String, found: String?) {
    self.source = source
    self.key = key
    self.wanted = wanted
    self.found = found
  }

  public var description: String {
    let found = found ?? "no such key"
    return "\(source): key \(key.quotedForMessage): wanted \(wanted), found \(found); "
      + "the model's description is incomplete or damaged, so convert or download it again"
  }
}
