/// A piece of a page that is well-formed XML: text gets in only escaped, elements only whole.
///
/// The pages are HTML that an XML parser reads, too, so that a test can say they are well-formed.
struct Markup: Sendable {
  /// As it is written.
  private(set) var source: String

  private init(source: String) { self.source = source }

  static let empty = Markup(source: "")

  /// Text from anywhere. A number and its percent sign stay on one line.
  static func text(_ text: String) -> Markup {
    Markup(source: escaped(text.replacing(" %", with: "\u{A0}%")))
  }

  /// An element; elements without content are closed at once.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
    _ content: [Markup] = []
  ) -> Markup {
    var source = "<\(name)"
    for (key, value) in attributes { source += " \(key)=\"\(escaped(value))\"" }
    let inside = content.map(\.source).joined()
    // Browsers take only some elements for closed by the slash.
    let isVoid = ["meta", "br", "line", "rect", "path", "circle", "polygon", "polyline"]
      .contains("\(name)")
    source += inside.isEmpty && isVoid ? "/>" : ">\(inside)</\(name)>"
    return Markup(source: source)
  }

  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], text: String
  ) -> Markup {
    element(name, attributes, [.text(text)])
  }

  /// A style sheet of our own.
  static func style(_ sheet: StaticString) -> Markup {
    Markup(source: "<style>\n\(sheet)\n</style>")
  }

  static func + (left: Markup, right: Markup) -> Markup {
    Markup(source: left.source + right.source)
  }

  var isEmpty: Bool { source.isEmpty }

  /// A whole page.
  static func page(head: [Markup], body: [Markup]) -> String {
    let page = element(
      "html", ["lang": "en", "xmlns": "http://www.w3.org/1999/xhtml"],
      [element("head", [:], head), element("body", [:], body)])
    return "<!DOCTYPE html>\n\(page.source)\n"
  }

  /// What has a meaning in markup is named; what XML does not allow at all, or would turn the text
  /// around, is replaced.
  static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t", "\r": result += " "
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value): result += "\u{FFFD}"
      case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": result += "\u{FFFD}"
      case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension [Markup] {
  var joined: Markup { reduce(.empty, +) }
}
