/// A piece of a template's source.
struct Token: Sendable {
  enum Kind: Hashable, Sendable {
    /// What stands outside of tags, white space next to them taken away as they ask.
    case text(String)
    case outputBegin
    case outputEnd
    case tagBegin
    case tagEnd
    case name(String)
    case string(String)
    case integer(Int)
    case float(Double)
    /// An operator or a bracket.
    case symbol(String)
    /// The end of the source.
    case end
  }

  let kind: Kind
  /// Counted from 1.
  let line: Int
}

extension Token {
  /// The token as a message names it.
  var name: String {
    switch kind {
    case .text: "text"
    case .outputBegin: "'{{'"
    case .outputEnd: "'}}'"
    case .tagBegin: "'{%'"
    case .tagEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer, .float: "a number"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }
}
