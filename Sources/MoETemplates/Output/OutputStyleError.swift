/// What is wrong with the choice of a style.
package enum OutputStyleError: Error, Hashable, Sendable {
  /// No style of the registry has this name.
  case unknownStyle(name: String, known: [String])
}

extension OutputStyleError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unknownStyle(let name, let known):
      "no output style is named '\(name)'; there are \(known.joined(separator: ", "))"
    }
  }
}
