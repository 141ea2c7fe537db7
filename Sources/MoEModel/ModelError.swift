public import MoECore

/// Why a model file cannot be run, in one sentence that names the file, the tensor or key, and what
/// would be accepted.
public enum ModelError: Error, Sendable, CustomStringConvertible {
  case unsupportedArchitecture(found: String, supported: [String], file: String)
  case missingTensor(name: String, architecture: String, file: String)
  case wrongShape(tensor: String, expected: [Int], found: [Int], file: String)
  case unsupportedFormat(tensor: String, found: String, supported: [String], file: String)
  /// A tensor that the architecture's description does not read: running without it would give
  /// wrong answers.
  case unexpectedTensor(name: String, architecture: String, file: String)
  case unsupportedValue(key: String, found: String, supported: String, file: String)
  case metadata(MetadataError)

  public var description: String {
    switch self {
    case .unsupportedArchitecture(let found, let supported, let file):
      "\(file): the architecture \(found.quotedForMessage) is not supported; supported are "
        + supported.joined(separator: ", ")
    case .missingTensor(let name, let architecture, let file):
      "\(file): the tensor \(name.quotedForMessage), which a model of architecture "
        + "\(architecture) needs, is missing; convert the model again or take another file"
    case .wrongShape(let tensor, let expected, let found, let file):
      "\(file): the tensor \(tensor.quotedForMessage) has the shape \(found), but the model's "
        + "metadata asks for \(expected); the file is damaged or was converted wrongly"
    case .unsupportedFormat(let tensor, let found, let supported, let file):
      "\(file): the tensor \(tensor.quotedForMessage) has the element format \(found), which is "
        + "not supported; supported are " + supported.joined(separator: ", ")
    case .unexpectedTensor(let name, let architecture, let file):
      "\(file): the tensor \(name.quotedForMessage) is not known for architecture "
        + "\(architecture); without it the model's answers would be wrong, so it is not run"
    case .unsupportedValue(let key, let found, let supported, let file):
      "\(file): \(key.quotedForMessage) is \(found); supported is \(supported)"
    case .metadata(let error): error.description
    }
  }
}
