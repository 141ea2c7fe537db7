/// A piece of a rendered conversation, by who wrote it.
///
/// Names of control tokens count in markup alone: what comes from a message is text, whatever it
/// looks like.
package enum TemplateSegment: Hashable, Sendable {
  /// What the template itself, or a trusted variable such as `bos_token`, wrote.
  case markup(String)
  /// What came from messages, tools or untrusted variables, character by character.
  case text(String)

  package var string: String {
    switch self {
    case .markup(let string), .text(let string): string
    }
  }
}

extension TemplateSegment {
  /// Neighbours of the same kind become one segment; an empty text has no segment.
  static func segments(of text: Text) -> [TemplateSegment] {
    var segments: [TemplateSegment] = []
    var scalars = String.UnicodeScalarView()
    var origin = Origin.template
    func close() {
      if scalars.isEmpty { return }
      segments.append(origin == .template ? .markup(String(scalars)) : .text(String(scalars)))
      scalars = String.UnicodeScalarView()
    }
    for letter in text.letters {
      if letter.origin != origin {
        close()
        origin = letter.origin
      }
      scalars.append(letter.scalar)
    }
    close()
    return segments
  }
}
