import MoECore

/// Why a template can't be read or rendered.
package struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Reason: Hashable, Sendable {
    /// The template's text is not Jinja.
    case syntax
    /// The template uses something that is not implemented.
    case unsupported
    /// The template does with a value what that value doesn't allow.
    case wrongValue
    /// The template is deeper, runs longer or makes more than is allowed.
    case limit
    /// The template itself refuses the conversation, with `raise_exception`.
    case raised
    /// A text that should be JSON is not.
    case json
    /// A set of templates has none of the wanted name.
    case missing
  }

  package let reason: Reason
  /// One sentence without its full stop; the template's own words where it refuses.
  package let problem: String
  /// The template's line, counted from 1; nil where no template is at fault.
  package internal(set) var line: Int?

  package init(_ reason: Reason, _ problem: String, line: Int? = nil) {
    self.reason = reason
    self.problem = problem
    self.line = line
  }

  init(_ error: JSONError) { self.init(.json, error.description) }

  package var description: String {
    guard let line else { return problem }
    return "line \(line) of the chat template: \(problem)"
  }
}
