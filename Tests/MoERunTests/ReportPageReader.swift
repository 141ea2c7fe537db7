import Foundation
import FoundationXML

/// Reads a page as strictly as an XML parser does, and keeps what tests ask about.
final class ReportPageReader: NSObject, XMLParserDelegate {
  private(set) var sections: [String] = []
  /// What each drawing is called.
  private(set) var drawings: [String] = []
  /// All text outside of the style sheet.
  private(set) var text = ""
  private(set) var elements: Set<String> = []
  /// Values of attributes that a browser would fetch or run.
  private(set) var references: [String] = []
  private(set) var style = ""
  let byteCount: Int
  private var isStyle = false

  /// Throws where the page is not well-formed.
  init(_ data: Data) throws {
    byteCount = data.count
    super.init()
    let parser = XMLParser(data: data)
    parser.delegate = self
    guard parser.parse() else {
      throw NotWellFormed(
        line: parser.lineNumber, reason: "\(parser.parserError.map { "\($0)" } ?? "")")
    }
  }

  /// Whether nothing of the page comes from elsewhere, and nothing in it runs.
  var hasNoOutside: Bool {
    elements.isDisjoint(with: [
      "script", "img", "link", "iframe", "object", "embed", "foreignObject",
    ])
      && references.allSatisfy { $0.hasPrefix("#") } && !style.contains("url(")
      && !style.contains("@import")
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements.insert(name)
    isStyle = name == "style"
    if name == "section" { sections.append(attributes["id"] ?? "") }
    if name == "svg" { drawings.append(attributes["aria-label"] ?? "") }
    for (key, value) in attributes {
      if ["href", "src", "xlink:href", "action"].contains(key) { references.append(value) }
      if key.hasPrefix("on") { references.append("runs: " + value) }
    }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    isStyle = false
    if ["td", "th", "p", "title", "text", "li", "h1"].contains(name) { text += "\n" }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if isStyle { style += string } else { text += string }
  }

  struct NotWellFormed: Error {
    let line: Int
    let reason: String
  }
}
