package import MoECore

/// A value that a template reads by name, beside messages and tools.
package enum TemplateVariable: Hashable, Sendable {
  /// The program's or the model file's own words, such as `bos_token`: they come out as markup.
  case trusted(JSON)
  /// What a user gave, such as `documents`: it comes out as text.
  case untrusted(JSON)

  var value: JSON {
    switch self {
    case .trusted(let value), .untrusted(let value): value
    }
  }

  var origin: Origin {
    switch self {
    case .trusted: .template
    case .untrusted: .data
    }
  }
}
