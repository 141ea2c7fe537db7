private import MoECore

/// Why a grammar or a schema can't be used, or why a text can't go on.
package struct GrammarError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Reason: Hashable, Sendable {
    /// The grammar's text isn't GBNF, or the schema isn't one.
    case syntax
    /// The grammar or the schema asks for something that can't be enforced.
    case unsupported
    /// No text at all fits.
    case impossible
    /// The grammar needs more memory, steps or nesting than is allowed.
    case limit
    /// A token was given that the grammar doesn't allow.
    case refused
    /// The grammar goes on, but the vocabulary has no token that does.
    case stuck
  }

  package enum Place: Hashable, Sendable {
    /// A line of a grammar in GBNF, counted from 1.
    case line(Int)
    /// A JSON pointer into a schema, as a URI fragment: `#/properties/a`.
    case schema(String)
  }

  package let reason: Reason
  /// One sentence without its full stop.
  package let problem: String
  package let place: Place?

  package init(_ reason: Reason, _ problem: String, at place: Place? = nil) {
    self.reason = reason
    self.problem = problem
    self.place = place
  }

  package var description: String {
    switch place {
    case .line(let line): "line \(line) of the grammar: \(problem)"
    case .schema(let pointer): "the JSON schema at \(pointer.quotedForMessage): \(problem)"
    case nil: problem
    }
  }
}
