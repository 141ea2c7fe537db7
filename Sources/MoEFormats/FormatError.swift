internal import MoECore

/// Why a model file cannot be used, in one sentence that names the file and the place in it.
public struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable, CaseIterable {
    /// The system refuses to open or read it.
    case unreadable
    /// A directory, pipe or device.
    case notRegularFile
    /// Some other kind of file than was expected, or an empty one.
    case otherFormat
    /// What this reader has no use for: old or big-endian GGUF, an unknown element format, a
    /// configuration of another kind of model.
    case unsupported
    /// It ends before what its header promises.
    case truncated
    /// A count, size, offset, name or value that breaks the format's rules.
    case malformed
    /// The parts of a split model do not belong together, or one is missing.
    case shards
    /// A file that holds something else than a model: an adapter, a vocabulary, ...
    case notModel
  }

  public let kind: Kind
  /// The file, as it was named.
  public let path: String
  /// The part of the file, for example `tensor "output.weight"`; nil for the file as a whole.
  public let subject: String?
  public let wanted: String
  public let found: String
  /// What the user can do.
  public let advice: String

  package init(
    _ kind: Kind, path: String, subject: String? = nil, wanted: String, found: String,
    advice: String? = nil
  ) {
    self.kind = kind
    self.path = path
    self.subject = subject
    self.wanted = wanted
    self.found = found
    self.advice = advice ?? kind.advice
  }

  public var description: String {
    let place = subject.map { "\(path): \($0)" } ?? path
    return "\(place): wanted \(wanted), found \(found); \(advice)"
  }
}

extension FormatError {
  /// Text that is not the JSON that its reader wants.
  static func malformed(_ error: JSONError, path: String) -> FormatError {
    FormatError(
      .malformed, path: path, subject: "byte \(error.position)", wanted: error.wanted,
      found: "something else")
  }
}

extension FormatError.Kind {
  fileprivate var advice: String {
    switch self {
    case .unreadable: "check the path and its permissions"
    case .notRegularFile, .otherFormat:
      "give the path of a .gguf file, or of the folder of a published model"
    case .unsupported: "convert the model again with a current converter"
    case .truncated: "download the file again; the download seems incomplete"
    case .malformed: "the file is damaged or was written wrongly; download or convert it again"
    case .notModel: "give the path of the model itself"
    case .shards: "put all shards of one model, under their own names, in one folder"
    }
  }
}
